// rotary as a composition of ATen operations: any float type, any device, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

at::Tensor rotary_reference(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start);

}  // namespace memlayers::ops
