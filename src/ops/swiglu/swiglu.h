// The gated activation of feed-forwards and memory outputs, with its gradient in one pass.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// silu(gate) * up, element by element, with silu(g) = g / (1 + e^-g).
///
/// gate and up of one shape and one dtype, float32, bfloat16 or float64, of any strides (copied unless contiguous); may
/// be empty. Returns the same, contiguous; bfloat16 is computed in float32 and rounded once. e^x is good to 2 units in
/// the last place (ops/simd/lanes_math.h). Differentiable once, in both; keeps both and nothing else.
/// Throws base::UsageError: shapes or dtypes that do not fit.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace memlayers::ops
