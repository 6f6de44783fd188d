// rms_norm as a composition of ATen operations: any float type, any device, any weight that broadcasts.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace memlayers::ops
