// softmax_cross_entropy as a composition of ATen operations: any float type, any device, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// logits [R, V], targets [R] int64; returns the losses [R].
at::Tensor softmax_cross_entropy_reference(const at::Tensor& logits, const at::Tensor& targets);

}  // namespace memlayers::ops
