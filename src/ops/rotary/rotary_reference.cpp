#include "ops/rotary/rotary_reference.h"

#include <ATen/ATen.h>

namespace memlayers::ops {

at::Tensor rotary_reference(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start) {
  const int64_t length = x.size(1), half = x.size(3) / 2;
  const at::Tensor c = cosine.narrow(0, start, length).unsqueeze(1).to(x.scalar_type());
  const at::Tensor s = sine.narrow(0, start, length).unsqueeze(1).to(x.scalar_type());
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  return at::cat({first * c - second * s, second * c + first * s}, 3);
}

}  // namespace memlayers::ops
