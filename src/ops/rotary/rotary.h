// Rotary position embedding (Su et al. 2021) of queries and keys, in the half-split layout of Hugging Face's Llama.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// y[b, t, h, i] = x[b, t, h, i] c - x[b, t, h, i + D/2] s,
/// y[b, t, h, i + D/2] = x[b, t, h, i + D/2] c + x[b, t, h, i] s
/// with c and s = cosine and sine[start + t, i], for i < D/2; with `inverse` the angles are negative.
///
/// x [B, T, H, D] float32, bfloat16 or float64, D even, of any strides (copied unless contiguous); cosine and sine
/// [P, D/2] float32, contiguous; 0 <= start, start + T <= P. Returns x's shape and dtype, contiguous: what comes out of
/// a projection goes in, and what attention reads without a copy comes out (its [B, H, T, D] is a view). bfloat16 is
/// computed in float32 and rounded once. B, T or H may be 0.
/// Differentiable in x, any number of times: the gradient is turned back.
/// Throws base::UsageError: shapes, dtypes or positions that do not fit.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start,
                  bool inverse = false);

}  // namespace memlayers::ops
