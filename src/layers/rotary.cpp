#include "layers/rotary.h"

#include <ATen/ATen.h>

#include <numbers>

#include "ops/rotary/rotary.h"

namespace memlayers::layers {
namespace {

/// Of frequencies [head_dim / 2] float32.
at::Tensor scaled(const at::Tensor& frequency, const RopeScaling& scaling) {
  if (scaling.rope_type == RopeType::kDefault) return frequency;
  const at::Tensor stretched = frequency / scaling.factor;
  if (scaling.rope_type == RopeType::kLinear) return stretched;
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  const at::Tensor wavelength = 2 * std::numbers::pi / frequency;
  const at::Tensor share = (original / wavelength - scaling.low_freq_factor) /
                           (scaling.high_freq_factor - scaling.low_freq_factor);  // of the frequency as it was
  const at::Tensor between = (1 - share) * stretched + share * frequency;
  const at::Tensor kept_or_between = at::where(wavelength < original / scaling.high_freq_factor, frequency, between);
  return at::where(wavelength > original / scaling.low_freq_factor, stretched, kept_or_between);
}

}  // namespace

Rotary::Rotary(int64_t head_dim, int64_t max_positions, double theta, const RopeScaling& scaling) {
  const at::Tensor even = at::arange(0, head_dim, 2, at::kFloat);
  const at::Tensor plain = at::reciprocal(at::pow(theta, even / static_cast<double>(head_dim))).to(at::kFloat);
  const at::Tensor frequency = scaled(plain, scaling);
  const at::Tensor angle = at::outer(at::arange(max_positions, at::kFloat), frequency);
  cosine_ = at::cos(angle);
  sine_ = at::sin(angle);
}

at::Tensor Rotary::forward(const at::Tensor& x, int64_t start) const { return ops::rotary(x, cosine_, sine_, start); }

}  // namespace memlayers::layers
