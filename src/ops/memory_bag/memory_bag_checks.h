// The checks and small helpers that the CPU's and CUDA's side of memory_bag share.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "ops/column_blocks.h"
#include "ops/device_check.h"
#include "ops/memory_bag/memory_bag_kernel.h"

namespace memlayers::ops {

inline bool known_dtype(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble;
}

/// The dtype of weights, gradients and sums that goes with a table.
inline at::ScalarType weight_dtype(const at::Tensor& table) {
  return table.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

inline void check_table_and_slots(const at::Tensor& table, const at::Tensor& slots, at::DeviceType device) {
  base::check(table.dim() == 2 && known_dtype(table.scalar_type()),
              "memory_bag: table must be [S, D] float32, bfloat16 or float64, got ", table.sizes(), " ", table.dtype());
  base::check(table.is_contiguous(),
              "memory_bag: table must be contiguous (a copy would be as large as the table), got strides ",
              table.strides());
  base::check(slots.dim() == 2 && slots.scalar_type() == at::kLong, "memory_bag: slots must be [N, M] int64, got ",
              slots.sizes(), " ", slots.dtype());
  base::check(table.device().type() == device && slots.device() == table.device(),
              "memory_bag: table and slots must be on one ", device, " device, got ", table.device(), " and ",
              slots.device());
}

inline void check_weights(at::ScalarType table_dtype, const at::Tensor& slots, const at::Tensor& weights) {
  const at::ScalarType dtype = table_dtype == at::kDouble ? at::kDouble : at::kFloat;
  base::check(weights.sizes() == slots.sizes(), "memory_bag: weights must have the shape of slots ", slots.sizes(),
              ", got ", weights.sizes());
  base::check(weights.scalar_type() == dtype, "memory_bag: weights must be ", dtype, " with a table of ", table_dtype,
              ", got ", weights.dtype());
  check_same_device("memory_bag", "weights", weights, slots);
}

inline void check_grad_output(int64_t value_dim, const at::Tensor& slots, const at::Tensor& grad_output) {
  base::check(grad_output.dim() == 2 && grad_output.size(0) == slots.size(0) && grad_output.size(1) == value_dim,
              "memory_bag_weight_gradient: grad_output must be [", slots.size(0), ", ", value_dim, "], got ",
              grad_output.sizes());
  check_same_device("memory_bag_weight_gradient", "grad_output", grad_output, slots);
}

/// For devices, whose kernels add up to 2^kDeviceTreeLevels blocks of columns.
inline void check_tree_fits(int64_t value_dim) {
  base::check(column_blocks(value_dim) <= int64_t{1} << kDeviceTreeLevels, "memory_bag_weight_gradient: rows of ",
              value_dim, " columns are longer than the device's kernel can add");
}

[[noreturn]] inline void throw_slot_outside(int64_t slot, int64_t num_slots) {
  throw base::UsageError(
      base::concat("memory_bag: slot ", slot, " is outside the table, expected 0 <= slot < ", num_slots));
}

template <class Row, class T>
BagProblem<Row, T> bag_problem(const at::Tensor& table, const at::Tensor& slots) {
  return {.bag_size = slots.size(1),
          .value_dim = table.size(1),
          .table = static_cast<const Row*>(table.const_data_ptr()),
          .slots = slots.const_data_ptr<int64_t>()};
}

}  // namespace memlayers::ops
