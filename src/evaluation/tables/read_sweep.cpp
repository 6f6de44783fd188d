#include "evaluation/tables/read_sweep.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "base/interrupt.h"

namespace memlayers::evaluation {
namespace {

/// Passages of one batch and the length they are padded to.
struct Batch {
  std::vector<int64_t> passages;
  int64_t length = 0;
};

constexpr size_t kWindow = 256;  // passages sorted by length at a time: an interrupted sweep has read all lengths

std::vector<Batch> batches_of(const std::vector<Passage>& passages, int64_t batch_tokens) {
  std::vector<int64_t> order(passages.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto length = [&](int64_t i) { return static_cast<int64_t>(passages[i].ids.size()); };
  for (size_t begin = 0; begin < order.size(); begin += kWindow) {
    const auto first = order.begin() + static_cast<ptrdiff_t>(begin);
    const auto last = order.begin() + static_cast<ptrdiff_t>(std::min(order.size(), begin + kWindow));
    std::stable_sort(first, last, [&](int64_t a, int64_t b) { return length(a) < length(b); });
  }
  std::vector<Batch> batches;
  for (const int64_t passage : order) {
    const bool open = !batches.empty() && static_cast<int64_t>(batches.back().passages.size() + 1) *
                                                  std::max(batches.back().length, length(passage)) <=
                                              batch_tokens;
    if (!open) batches.emplace_back();
    batches.back().passages.push_back(passage);
    batches.back().length = std::max(batches.back().length, length(passage));
  }
  return batches;
}

/// [B, T]; what is shorter is filled up at its end, which no earlier position sees.
at::Tensor padded_tokens(const std::vector<Passage>& passages, const Batch& batch) {
  const at::Tensor tokens = at::zeros({static_cast<int64_t>(batch.passages.size()), batch.length}, at::kLong);
  int64_t* row = tokens.mutable_data_ptr<int64_t>();
  for (const int64_t passage : batch.passages) {
    std::copy(passages[passage].ids.begin(), passages[passage].ids.end(), row);
    row += batch.length;
  }
  return tokens;
}

}  // namespace

std::vector<model::Transformer::NamedTable> tables_with_values(const model::Transformer& model) {
  std::vector<model::Transformer::NamedTable> tables;
  for (const auto& named : model.tables()) {
    const bool by_keys = named.table->addressing() == layers::Addressing::kProductKeys;
    if (by_keys && !named.name.ends_with(".down.weight")) tables.push_back(named);
  }
  return tables;
}

std::vector<bool> sweep_reads(model::Transformer& model, const std::vector<Passage>& passages, int64_t batch_tokens,
                              const std::function<void(const TokenRead&)>& visit,
                              const std::function<void(int64_t)>& swept) {
  const at::NoGradGuard no_grad;
  const Batch* batch = nullptr;
  const auto hand_on = [&](int64_t table, int64_t layer, const at::Tensor& slots, const at::Tensor& weights) {
    const at::Tensor slot = slots.to(at::kCPU, at::kLong).contiguous();
    const at::Tensor weight = weights.to(at::kCPU, at::kDouble).contiguous();
    const auto width = static_cast<size_t>(slot.size(-1));
    for (size_t row = 0; row < batch->passages.size(); ++row) {
      const int64_t passage = batch->passages[row];
      for (size_t position = 0; position < passages[passage].ids.size(); ++position) {
        const size_t at = (row * static_cast<size_t>(batch->length) + position) * width;
        visit({table,
               layer,
               passage,
               static_cast<int64_t>(position),
               {slot.const_data_ptr<int64_t>() + at, width},
               {weight.const_data_ptr<double>() + at, width}});
      }
    }
  };
  std::vector<layers::MemoryTable::Listening> listening;
  for (const auto& [name, table] : tables_with_values(model)) {
    listening.push_back(table->listen([&, index = static_cast<int64_t>(listening.size())](
                                          int64_t layer, const at::Tensor& slots, const at::Tensor& weights) {
      hand_on(index, layer, slots, weights);
    }));
  }
  std::vector<bool> read(passages.size(), false);
  int64_t tokens = 0;
  for (const Batch& each : batches_of(passages, batch_tokens)) {
    if (base::interrupted()) break;
    batch = &each;
    model.hidden(padded_tokens(passages, each));
    for (const int64_t passage : each.passages) {
      read[passage] = true;
      tokens += static_cast<int64_t>(passages[passage].ids.size());
    }
    if (swept) swept(tokens);
  }
  return read;
}

}  // namespace memlayers::evaluation
