// Cross-entropy of rows of logits, and its gradient written over them.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// loss[r] = -log softmax(logits[r])[targets[r]], [R] in the dtype of logits.
///
/// logits [R, V] float32 or float64, contiguous, V > 0; targets [R] int64 in [0, V). R may be 0. A logit of minus
/// infinity has probability 0 (loss infinity if it is the target); a row with a NaN, an infinity or nothing but minus
/// infinities has loss NaN. e^x is good to 2 units in the last place (ops/simd/lanes_math.h); sums along V go through
/// sixteen lanes. Not differentiable: the function below gives the gradient, and model/cross_entropy.h the whole.
/// Throws base::UsageError: shapes, dtypes or strides that do not fit, a target outside.
at::Tensor softmax_cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

/// The same losses; `logits` is overwritten with scale * (softmax(logits) - onehot(targets)), the gradient of scale *
/// sum of losses. A row is passed over three times while it is in the cache. Throws as above.
at::Tensor softmax_cross_entropy_gradient_(at::Tensor& logits, const at::Tensor& targets, double scale);

}  // namespace memlayers::ops
