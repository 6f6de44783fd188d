#include "layers/rotary.h"

#include <ATen/ATen.h>

#include "ops/rotary/rotary.h"

namespace memlayers::layers {

Rotary::Rotary(int64_t head_dim, int64_t max_positions, double theta) {
  const at::Tensor even = at::arange(0, head_dim, 2, at::kFloat);
  const at::Tensor frequency = at::reciprocal(at::pow(theta, even / static_cast<double>(head_dim))).to(at::kFloat);
  const at::Tensor angle = at::outer(at::arange(max_positions, at::kFloat), frequency);
  cosine_ = at::cos(angle);
  sine_ = at::sin(angle);
}

at::Tensor Rotary::forward(const at::Tensor& x, int64_t start) const { return ops::rotary(x, cosine_, sine_, start); }

}  // namespace memlayers::layers
