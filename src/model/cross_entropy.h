// Output head and cross-entropy in one, without the logits of all rows at once.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::model {

/// Mean over rows of -log softmax(hidden weight^T)[target], as a float32 scalar (float64 for float64).
///
/// hidden [N, d], weight [V, d] of one dtype, targets [N] int64 in [0, V); N > 0. Logits are made for a few rows at a
/// time and, when a gradient is wanted, turned at once into gradients of `hidden` and `weight`: memory is O(chunk * V)
/// instead of O(N * V). Products in the inputs' dtype, softmax and sums in float32. Differentiable once, in `hidden`
/// and `weight`.
at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets);

}  // namespace memlayers::model
