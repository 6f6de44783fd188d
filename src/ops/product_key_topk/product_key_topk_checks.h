// The checks that the CPU's and CUDA's side of product_key_topk share.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "ops/device_check.h"
#include "ops/product_key_topk/product_key_topk_kernel.h"

namespace memlayers::ops {

inline at::ScalarType score_dtype(const at::Tensor& query) {
  return query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

inline void check_inputs(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k, at::DeviceType device) {
  const char* op = "product_key_topk: ";
  const auto dtype = query.scalar_type();
  base::check(query.dim() == 3, op, "query must be [N, H, K], got ", query.sizes());
  base::check(sub_keys.dim() == 4 && sub_keys.size(1) == 2, op, "sub_keys must be [H, 2, n, K/2], got ",
              sub_keys.sizes());
  base::check(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble, op,
              "query must be float32, bfloat16 or float64, got ", query.dtype());
  base::check(sub_keys.scalar_type() == dtype, op, "query and sub_keys must have one dtype, got ", query.dtype(),
              " and ", sub_keys.dtype());
  base::check(query.device().type() == device && sub_keys.device() == query.device(), op, "inputs must be on one ",
              device, " device, got ", query.device(), " and ", sub_keys.device());
  base::check(query.size(2) % 2 == 0, op, "K must be even, since each half of a query has its sub-keys, got ",
              query.size(2));
  base::check(sub_keys.size(0) == query.size(1) && sub_keys.size(3) * 2 == query.size(2), op, "sub_keys must be [",
              query.size(1), ", 2, n, ", query.size(2) / 2, "] for a query ", query.sizes(), ", got ",
              sub_keys.sizes());
  const int64_t n = sub_keys.size(2);
  base::check(n >= 1 && n <= (int64_t{1} << 31), op, "n must be in [1, 2^31], got ", n);
  base::check(k >= 1 && k <= n * n, op, "k must be in [1, n * n = ", n * n, "], got ", k);
}

inline TopKShape shape_of(const at::Tensor& sub_keys, int64_t k) {
  return {.heads = sub_keys.size(0), .num_sub_keys = sub_keys.size(2), .half_dim = sub_keys.size(3), .k = k};
}

inline void check_backward_inputs(const at::Tensor& grad_scores, const at::Tensor& slots, const at::Tensor& query,
                                  const at::Tensor& sub_keys, at::DeviceType device) {
  base::check(slots.dim() == 3, "product_key_topk_backward: slots must be [N, H, k], got ", slots.sizes());
  check_inputs(query, sub_keys, slots.size(2), device);
  base::check(grad_scores.sizes() == slots.sizes() && slots.size(0) == query.size(0) &&
                  slots.size(1) == query.size(1) && slots.scalar_type() == at::kLong,
              "product_key_topk_backward: grad_scores and slots (int64) must be [N, H, k], got ", grad_scores.sizes(),
              " and ", slots.sizes());
  check_same_device("product_key_topk_backward", "grad_scores", grad_scores, query);
  check_same_device("product_key_topk_backward", "slots", slots, query);
}

inline void check_sub_keys_to_pack(const at::Tensor& sub_keys) {
  base::check(sub_keys.dim() == 4 && sub_keys.size(1) == 2, "pack_sub_keys: sub_keys must be [H, 2, n, K/2], got ",
              sub_keys.sizes());
}

/// Returns the shape that the packed sub-keys have.
inline TopKShape check_packed(const at::Tensor& query, const at::Tensor& panels, int64_t heads, int64_t num_sub_keys,
                              int64_t k) {
  const char* op = "product_key_topk: ";
  base::check(heads >= 1 && num_sub_keys >= 1 && num_sub_keys <= (int64_t{1} << 31) && panels.dim() == 3, op,
              "packed sub-keys must come from pack_sub_keys, with their numbers of heads and sub-keys, got ",
              panels.sizes(), ", ", heads, " and ", num_sub_keys);
  const TopKShape shape{.heads = heads, .num_sub_keys = num_sub_keys, .half_dim = panels.size(1), .k = k};
  base::check(
      panels.size(0) == heads * 2 * shape.num_panels() && panels.size(2) == kKeysPerPanel && panels.is_contiguous(), op,
      "packed sub-keys must come from pack_sub_keys, got ", panels.sizes(), " for ", heads, " heads of ", num_sub_keys);
  base::check(query.dim() == 3 && query.size(1) == heads && query.size(2) == 2 * shape.half_dim, op,
              "query must be [N, ", heads, ", ", 2 * shape.half_dim, "], got ", query.sizes());
  base::check(score_dtype(query) == panels.scalar_type(), op, "query of ", query.dtype(),
              " does not go with packed sub-keys of ", panels.dtype());
  check_same_device("product_key_topk", "query", query, panels);
  base::check(k >= 1 && k <= num_sub_keys * num_sub_keys, op, "k must be in [1, n * n = ", num_sub_keys * num_sub_keys,
              "], got ", k);
  return shape;
}

[[noreturn]] inline void throw_slot_outside_pairs(int64_t slot, int64_t count) {
  throw base::UsageError(
      base::concat("product_key_topk_backward: slots must be in [0, n * n = ", count, "), got ", slot));
}

}  // namespace memlayers::ops
