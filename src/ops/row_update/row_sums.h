// Gradient rows out of sorted bag records, a range at a time. Internal to row_gradient.cpp.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <vector>

#include "ops/row_update/row_gradient_kernel.h"

namespace memlayers::ops {

const RowGradientKernel& row_gradient_kernel();

/// Tensors as in TouchedRows, contiguous; weights and grad_outputs of the records, of dtype T. Keeps pointers only.
template <class T>
class RowSums {
 public:
  RowSums(const at::Tensor& row_begins, const at::Tensor& entries, at::TensorList weights, at::TensorList grad_outputs,
          int64_t value_dim)
      : num_rows_(row_begins.size(0) - 1) {
    uint32_t first_entry = 0;
    for (size_t r = 0; r < weights.size(); ++r) {
      const auto bag_size = static_cast<uint32_t>(std::max<int64_t>(weights[r].size(1), 1));
      records_.push_back({weights[r].const_data_ptr<T>(), grad_outputs[r].const_data_ptr<T>(), bag_size, first_entry});
      first_entry += static_cast<uint32_t>(weights[r].numel());
    }
    problem_ = {.value_dim = value_dim,
                .records = records_.data(),
                .num_records = static_cast<int64_t>(records_.size()),
                .sorted = reinterpret_cast<const uint64_t*>(entries.const_data_ptr<int64_t>()),
                .row_begins = row_begins.const_data_ptr<int64_t>()};
  }
  RowSums(const RowSums&) = delete;

  int64_t num_rows() const { return num_rows_; }
  int64_t value_dim() const { return problem_.value_dim; }

  /// Work is cut by entries and rows together, since a few rows are read by most tokens. Row u begins at
  /// row_begins[u] + kRowWork * u.
  static constexpr int64_t kRowWork = 4, kWorkPerTask = 1024;
  int64_t work() const { return problem_.row_begins[num_rows_] + kRowWork * num_rows_; }
  /// The first row that begins at or after `position`.
  int64_t row_at(int64_t position) const {
    int64_t low = 0, high = num_rows_;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (problem_.row_begins[middle] + kRowWork * middle < position) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// Gradients of rows [first, last) into values [last - first, D].
  void sum(int64_t first, int64_t last, T* values) const {
    if constexpr (sizeof(T) == sizeof(double)) {
      row_gradient_kernel().sum_float64(problem_, first, last, values);
    } else {
      row_gradient_kernel().sum_float32(problem_, first, last, values);
    }
  }

 private:
  std::vector<RecordView<T>> records_;
  RowSumProblem<T> problem_;
  int64_t num_rows_;
};

}  // namespace memlayers::ops
