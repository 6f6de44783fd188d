// The checks that the CPU's and CUDA's side of gather_row_gradient share.
#pragma once

#include <ATen/core/Tensor.h>

#include <limits>

#include "base/error.h"
#include "ops/device_check.h"

namespace memlayers::ops {

inline void check_record(const at::Tensor& slots, const at::Tensor& weights, const at::Tensor& grad_output,
                         int64_t value_dim, at::ScalarType dtype) {
  const char* op = "gather_row_gradient: ";
  base::check(slots.dim() == 2 && slots.scalar_type() == at::kLong && weights.sizes() == slots.sizes(), op,
              "a record's slots (int64) and weights must be [N, M], got ", slots.sizes(), " ", slots.dtype(), " and ",
              weights.sizes());
  base::check(grad_output.dim() == 2 && grad_output.size(0) == slots.size(0) && grad_output.size(1) == value_dim, op,
              "a record's grad_output must be [", slots.size(0), ", ", value_dim, "], got ", grad_output.sizes());
  base::check((dtype == at::kFloat || dtype == at::kDouble) && weights.scalar_type() == dtype &&
                  grad_output.scalar_type() == dtype,
              op, "all records must be float32, or all float64, got ", weights.dtype(), " and ", grad_output.dtype());
  check_same_device("gather_row_gradient", "a record's weights", weights, slots);
  check_same_device("gather_row_gradient", "a record's grad_output", grad_output, slots);
}

inline void check_records(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs,
                          int64_t value_dim) {
  base::check(!slots.empty() && slots.size() == weights.size() && slots.size() == grad_outputs.size(),
              "gather_row_gradient: needs as many weights and grad_outputs as slots, and at least one, got ",
              slots.size(), ", ", weights.size(), ", ", grad_outputs.size());
  for (size_t r = 0; r < slots.size(); ++r) {
    check_record(slots[r], weights[r], grad_outputs[r], value_dim, weights[0].scalar_type());
    check_same_device("gather_row_gradient", "a record", slots[r], slots[0]);
  }
}

/// Where gradient rows are to be written.
inline void check_sum_target(const at::Tensor& row_begins, const at::Tensor& entries, at::TensorList weights,
                             at::TensorList grad_outputs, const at::Tensor& values) {
  base::check(!weights.empty() && values.dim() == 2 && values.size(0) == row_begins.numel() - 1 &&
                  values.is_contiguous() && values.scalar_type() == weights[0].scalar_type(),
              "sum_touched_rows: values must be contiguous [", row_begins.numel() - 1,
              ", D] in the records' dtype, got ", values.sizes(), " ", values.dtype());
  const auto check_place = [&](const char* name, const at::Tensor& tensor) {
    check_same_device("sum_touched_rows", name, tensor, row_begins);
  };
  check_place("values", values);
  check_place("entries", entries);
  for (const at::Tensor& of_record : weights) check_place("a record's weights", of_record);
  for (const at::Tensor& of_record : grad_outputs) check_place("a record's grad_output", of_record);
}

inline void check_entry_count(int64_t entries) {
  base::check(entries <= int64_t{std::numeric_limits<uint32_t>::max()}, "gather_row_gradient: ", entries,
              " bag entries in one step, at most 2^32 - 1 are supported");
}

inline void check_largest_slot(uint64_t largest) {
  base::check(largest < uint64_t{1} << 32, "gather_row_gradient: slot ", int64_t(largest), " must be in [0, 2^32)");
}

inline void check_gradient_rows(const at::Tensor& values) {
  base::check(values.dim() == 2 && (values.scalar_type() == at::kFloat || values.scalar_type() == at::kDouble),
              "squared_norm: values must be [U, D] float32 or float64, got ", values.sizes(), " ", values.dtype());
}

}  // namespace memlayers::ops
