#include "layers/ngram_layer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "layers/ngram_hash.h"

namespace memlayers::layers {
namespace {

// One hash of one order.
struct Hash {
  int64_t order = 0;
  uint64_t key = 0;
};

std::vector<Hash> hashes_of(const NgramConfig& config, int64_t table) {
  std::vector<Hash> hashes;
  for (const int64_t order : config.orders) {
    for (int64_t i = 0; i < config.hashes; ++i) hashes.push_back({order, ngram_key(table, order, i)});
  }
  return hashes;
}

// The newest `recent.size()` tokens up to `at`, newest first; beyond a begin of document or of the sequence, none.
void recent_tokens(const int64_t* sequence, int64_t at, int64_t bos, std::vector<int64_t>& recent) {
  bool inside = true;
  for (size_t back = 0; back < recent.size(); ++back) {
    const int64_t position = at - static_cast<int64_t>(back);
    inside = inside && position >= 0;
    recent[back] = inside ? sequence[position] : kNoToken;
    inside = inside && sequence[position] != bos;
  }
}

int64_t slot_of(const Hash& hash, const std::vector<int64_t>& recent, int64_t rows) {
  uint64_t state = hash.key;
  for (int64_t back = 0; back < hash.order; ++back) state = ngram_append(state, recent[static_cast<size_t>(back)]);
  return ngram_row(state, rows);
}

}  // namespace

at::Tensor ngram_slots(const at::Tensor& tokens, int64_t count, const NgramConfig& config, const NgramPlace& place) {
  const std::vector<Hash> hashes = hashes_of(config, place.table);
  const int64_t longest = *std::max_element(config.orders.begin(), config.orders.end());
  const int64_t reads = config.reads(), sequences = tokens.size(0);
  // No position sees more than the longest n-gram; before position 0 of what is kept there is nothing it would look at.
  const int64_t kept = std::min(tokens.size(1), count + longest - 1);
  const at::Tensor ids = tokens.narrow(1, tokens.size(1) - kept, kept).to(at::kCPU).contiguous();
  at::Tensor slots = at::empty({sequences * count, reads}, at::kLong);
  const int64_t* id = ids.const_data_ptr<int64_t>();
  int64_t* slot = slots.mutable_data_ptr<int64_t>();
  at::parallel_for(0, sequences * count, 1024, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> recent(static_cast<size_t>(longest));
    for (int64_t n = begin; n < end; ++n) {
      recent_tokens(id + n / count * kept, kept - count + n % count, place.bos, recent);
      for (int64_t g = 0; g < reads; ++g) {
        slot[n * reads + g] = g * config.rows + slot_of(hashes[static_cast<size_t>(g)], recent, config.rows);
      }
    }
  });
  return slots.to(tokens.device());
}

NgramLayer::NgramLayer(const NgramConfig& config, const Options& options, std::shared_ptr<MemoryTable> table)
    : config_(config),
      options_(options),
      table_(std::move(table)),
      query_norm_(options.hidden, options.norm_eps),
      key_norm_(options.hidden, options.norm_eps),
      key_proj_(config.reads() * config.value_dim, options.hidden, false),
      value_proj_(config.reads() * config.value_dim, options.hidden, false) {}

void NgramLayer::collect(const std::string& name, ParameterList& parameters) {
  const auto width = static_cast<double>(config_.reads() * config_.value_dim);
  query_norm_.collect(name + ".query_norm", parameters);
  key_norm_.collect(name + ".key_norm", parameters);
  key_proj_.collect(name + ".key_proj", Initializer::normal(1 / std::sqrt(width)), parameters);
  value_proj_.collect(name + ".value_proj", Initializer::constant(0), parameters);
}

void NgramLayer::freeze(at::ScalarType dtype) {
  key_proj_.freeze(dtype);
  value_proj_.freeze(dtype);
}

// The rows side by side, [N, G * D] in the table's dtype: bags of one row each, so that reading, records, row updates
// and usage are those of every other table.
at::Tensor NgramLayer::read(const at::Tensor& slots) const {
  const at::Tensor weights = at::ones(slots.sizes(), slots.options().dtype(table_->weight_dtype()));
  const at::Tensor rows = table_->bag(slots.view({-1, 1}), weights.view({-1, 1}));
  table_->tell_listeners(options_.layer, slots, weights);
  return rows.view({slots.size(0), -1});
}

at::Tensor NgramLayer::forward(const at::Tensor& input, const ForwardContext& context) const {
  assert(context.tokens != nullptr && context.tokens->size(1) >= input.size(1));
  const at::Tensor x = input.reshape({-1, options_.hidden});
  const at::ScalarType wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor rows = read(ngram_slots(*context.tokens, input.size(1), config_, options_.place)).to(context.dtype);
  const at::Tensor query = query_norm_.forward(x, wide);
  const at::Tensor key = key_norm_.forward(key_proj_.forward(rows), wide);
  const at::Tensor agreement = (query * key).sum(-1, /*keepdim=*/true) / std::sqrt(double(options_.hidden));
  return (value_proj_.forward(rows).to(wide) * at::sigmoid(agreement)).view(input.sizes());
}

}  // namespace memlayers::layers
