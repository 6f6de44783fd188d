// swiglu as a composition of ATen operations: any float type, any device, differentiable.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

at::Tensor swiglu_reference(const at::Tensor& gate, const at::Tensor& up);

}  // namespace memlayers::ops
