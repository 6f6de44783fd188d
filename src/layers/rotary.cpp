#include "layers/rotary.h"

#include <ATen/ATen.h>

namespace memlayers::layers {

Rotary::Rotary(int64_t head_dim, int64_t max_positions, double theta) {
  const at::Tensor even = at::arange(0, head_dim, 2, at::kFloat);
  const at::Tensor frequency = at::reciprocal(at::pow(theta, even / static_cast<double>(head_dim))).to(at::kFloat);
  const at::Tensor angle = at::outer(at::arange(max_positions, at::kFloat), frequency);
  cosine_ = at::cos(angle);
  sine_ = at::sin(angle);
}

at::Tensor Rotary::forward(const at::Tensor& x, int64_t start) const {
  const int64_t length = x.size(2), half = x.size(3) / 2;
  const at::Tensor cosine = cosine_.narrow(0, start, length).to(x.scalar_type());
  const at::Tensor sine = sine_.narrow(0, start, length).to(x.scalar_type());
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  return at::cat({first * cosine - second * sine, second * cosine + first * sine}, 3);
}

}  // namespace memlayers::layers
