// Root mean square normalization of rows, with its gradient in one pass.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// y = x / sqrt(mean(x^2) + eps) * weight over the last dimension.
///
/// x [.., D] float32 or float64, of any strides (copied unless contiguous); weight of x's dtype and D columns, whose
/// shape broadcasts to x's with its other dimensions side by side: [D], [2, D] under [N, H, 2, D], or [2, 1, D] under
/// [H, 2, n, D]. So row r of x meets weight row (r / inner) % groups. Returns x's shape, contiguous. Any dimension may
/// be 0. Sums along D go through sixteen lanes; the weight's gradient is summed by blocks of rows that depend on the
/// shape only.
/// Differentiable once, in x and weight.
/// Throws base::UsageError: other dtypes, weight of another dtype or of a shape that does not fit.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace memlayers::ops
