// Bag records to gradient rows: number all entries, sort them by slot (stable), sum each slot's run.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/row_update/row_gradient_checks.h"
#include "ops/row_update/row_gradient_kernel.h"
#include "ops/row_update/row_update.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kEntriesPerTask = 512;
constexpr int kDigitBits = 11;

const RowGradientKernel& kernel() {
  static const RowGradientKernel& chosen = choose_kernel("gather_row_gradient", baseline::kRowGradientKernel,
                                                         avx2::kRowGradientKernel, avx512::kRowGradientKernel);
  return chosen;
}

/// Stable sort of slot << 32 | entry by slot, least significant digit first, over the bits that occur.
void sort_by_slot(std::vector<uint64_t>& keys, uint64_t largest_slot) {
  std::vector<uint64_t> other(keys.size());
  for (int shift = 0; shift < 32 && largest_slot >> shift != 0; shift += kDigitBits) {
    constexpr uint64_t mask = (1u << kDigitBits) - 1;
    std::array<int64_t, mask + 1> next{};
    for (uint64_t key : keys) ++next[key >> (32 + shift) & mask];
    int64_t begin = 0;
    for (int64_t& position : next) begin += std::exchange(position, begin);
    for (uint64_t key : keys) other[static_cast<size_t>(next[key >> (32 + shift) & mask]++)] = key;
    keys.swap(other);
  }
}

std::vector<uint64_t> sorted_entries(at::TensorList slots) {
  int64_t entries = 0;
  for (const at::Tensor& record : slots) entries += record.numel();
  check_entry_count(entries);
  std::vector<uint64_t> keys(static_cast<size_t>(entries));
  uint64_t entry = 0, largest = 0;
  for (const at::Tensor& record : slots) {
    const int64_t* slot = record.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < record.numel(); ++i, ++entry) {
      largest = std::max(largest, uint64_t(slot[i]));
      keys[entry] = uint64_t(slot[i]) << 32 | entry;
    }
  }
  check_largest_slot(largest);
  sort_by_slot(keys, largest);
  return keys;
}

template <class T>
void sum_rows(const std::vector<uint64_t>& sorted, const std::vector<int64_t>& row_begins, at::TensorList weights,
              at::TensorList grad_outputs, const at::Tensor& values) {
  std::vector<RecordView<T>> records;
  uint32_t first_entry = 0;
  for (size_t r = 0; r < weights.size(); ++r) {
    records.push_back({weights[r].const_data_ptr<T>(), grad_outputs[r].const_data_ptr<T>(),
                       std::max<int64_t>(weights[r].size(1), 1), first_entry});
    first_entry += static_cast<uint32_t>(weights[r].numel());
  }
  const RowSumProblem<T> problem{.value_dim = values.size(1),
                                 .records = records.data(),
                                 .num_records = static_cast<int64_t>(records.size()),
                                 .sorted = sorted.data(),
                                 .row_begins = row_begins.data(),
                                 .values = values.mutable_data_ptr<T>()};
  // Tasks are ranges of entries, not of rows, since a few rows are read by most tokens. A row belongs to the task that
  // holds its first entry.
  const auto row_of = [&](int64_t entry) {
    return std::lower_bound(row_begins.begin(), row_begins.end() - 1, entry) - row_begins.begin();
  };
  at::parallel_for(0, static_cast<int64_t>(sorted.size()), kEntriesPerTask, [&](int64_t first, int64_t last) {
    if constexpr (std::is_same_v<T, double>) {
      kernel().sum_float64(problem, row_of(first), row_of(last));
    } else {
      kernel().sum_float32(problem, row_of(first), row_of(last));
    }
  });
}

std::tuple<at::Tensor, at::Tensor> gather_cpu(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs,
                                              int64_t value_dim) {
  check_records(slots, weights, grad_outputs, value_dim);
  const auto dtype = weights[0].scalar_type();
  std::vector<at::Tensor> slot, weight, grad;
  for (size_t r = 0; r < slots.size(); ++r) {
    slot.push_back(slots[r].contiguous());
    weight.push_back(weights[r].contiguous());
    grad.push_back(grad_outputs[r].contiguous());
  }
  const std::vector<uint64_t> sorted = sorted_entries(slot);
  std::vector<int64_t> row_begins;
  for (size_t e = 0; e < sorted.size(); ++e) {
    if (e == 0 || sorted[e] >> 32 != sorted[e - 1] >> 32) row_begins.push_back(static_cast<int64_t>(e));
  }
  const auto num_rows = static_cast<int64_t>(row_begins.size());
  row_begins.push_back(static_cast<int64_t>(sorted.size()));
  at::Tensor rows = at::empty({num_rows}, slot[0].options());
  int64_t* row = rows.mutable_data_ptr<int64_t>();
  for (int64_t u = 0; u < num_rows; ++u) row[u] = static_cast<int64_t>(sorted[row_begins[u]] >> 32);
  at::Tensor values = at::empty({num_rows, value_dim}, weight[0].options());
  if (dtype == at::kDouble) {
    sum_rows<double>(sorted, row_begins, weight, grad, values);
  } else {
    sum_rows<float>(sorted, row_begins, weight, grad, values);
  }
  return {rows, values};
}

double squared_norm_cpu(const at::Tensor& values) {
  check_gradient_rows(values);
  const at::Tensor contiguous = values.contiguous();
  std::vector<double> squares(static_cast<size_t>(values.size(0)));
  at::parallel_for(0, values.size(0), 256, [&](int64_t first, int64_t last) {
    if (contiguous.scalar_type() == at::kDouble) {
      kernel().squares_float64(contiguous.const_data_ptr<double>(), values.size(1), squares.data(), first, last);
    } else {
      kernel().squares_float32(contiguous.const_data_ptr<float>(), values.size(1), squares.data(), first, last);
    }
  });
  double total = 0;
  for (double square : squares) total += square;
  return total;
}

}  // namespace

RowGradient gather_row_gradient(const BagRecords& records, int64_t value_dim) {
  if (records.empty()) {
    return {at::empty({0}, at::kLong), at::empty({0, value_dim}, at::kFloat)};
  }
  std::vector<at::Tensor> slots, weights, grad_outputs;
  for (const BagRecord& record : records) {
    slots.push_back(record.slots);
    weights.push_back(record.weights);
    grad_outputs.push_back(record.grad_output);
  }
  using Signature = std::tuple<at::Tensor, at::Tensor>(at::TensorList, at::TensorList, at::TensorList, int64_t);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::gather_row_gradient", "").typed<Signature>();
  auto [rows, values] = op.call(slots, weights, grad_outputs, value_dim);
  return {rows, values};
}

double squared_norm(const RowGradient& gradient) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::row_squared_norm", "")
                             .typed<double(const at::Tensor&)>();
  return op.call(gradient.values);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def(
      "gather_row_gradient(Tensor[] slots, Tensor[] weights, Tensor[] grad_outputs, int value_dim) -> (Tensor rows, "
      "Tensor values)");
  library.def("row_squared_norm(Tensor values) -> float");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("gather_row_gradient", gather_cpu);
  library.impl("row_squared_norm", squared_norm_cpu);
}

}  // namespace memlayers::ops
