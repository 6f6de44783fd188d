// Rotary position embedding (Su et al. 2021), in the half-split layout of Hugging Face's Llama.
#pragma once

#include <ATen/core/Tensor.h>

#include "layers/rope_scaling.h"

namespace memlayers::layers {

class Rotary {
 public:
  /// `head_dim` is even; angles are position * theta^(-2i / head_dim), computed in float32 once for all positions. The
  /// frequencies are changed first as `scaling` says.
  Rotary(int64_t head_dim, int64_t max_positions, double theta, const RopeScaling& scaling = {});

  /// x [B, T, heads, head_dim] at positions start .. start + T - 1: entry i of the first half turns with entry i of the
  /// second. Result in x's shape and dtype, contiguous. Differentiable (ops/rotary/rotary.h).
  at::Tensor forward(const at::Tensor& x, int64_t start) const;

 private:
  at::Tensor cosine_, sine_;  // [max_positions, head_dim / 2] float32
};

}  // namespace memlayers::layers
