#include "ops/rms_norm/rms_norm_reference.h"

#include <ATen/ATen.h>

namespace memlayers::ops {

at::Tensor rms_norm_reference(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor scale = at::rsqrt(at::mean(x * x, at::IntArrayRef{-1}, true) + eps);
  return x * scale * weight;
}

}  // namespace memlayers::ops
