// y = x W^T + b, and RMSNorm: the two layers every other one is made of.
#pragma once

#include "layers/parameter.h"

namespace memlayers::layers {

class Linear {
 public:
  /// Parameters are allocated, not initialized: weight [out, in] and, with `bias`, bias [out], float32.
  Linear(int64_t in, int64_t out, bool bias);
  /// Without a bias, on a tensor [out, in] that is there.
  explicit Linear(at::Tensor weight) : weight_(std::move(weight)) {}

  /// x [.., in] -> [.., out] in x's dtype; the parameters are cast to it.
  at::Tensor forward(const at::Tensor& x) const;
  /// Appends NAME.weight (and NAME.bias, zero).
  void collect(const std::string& name, Initializer initializer, ParameterList& list);
  /// For good: the parameters are cast to `dtype` now, once, and forward() takes x of that dtype. Called on a copy,
  /// which shares them with the original where nothing has to be cast.
  void freeze(at::ScalarType dtype);

  const at::Tensor& weight() const { return weight_; }
  /// Undefined where there is none.
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor weight_, bias_;
};

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension.
class RmsNorm {
 public:
  RmsNorm(int64_t size, double eps);

  /// x [.., size] of any dtype -> `dtype`; computed in float32 (float64 for float64).
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const;
  /// Appends NAME.weight, starting at `value`.
  void collect(const std::string& name, ParameterList& list, double value = 1);

  const at::Tensor& weight() const { return weight_; }

 private:
  at::Tensor weight_;
  double eps_;
};

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension of x, float32 or float64; weight, of any dtype,
/// broadcasts to x as ops/rms_norm/rms_norm.h says.
at::Tensor rms_normalize(const at::Tensor& x, const at::Tensor& weight, double eps);

/// `parameter` as a frozen layer keeps it: without a gradient, in `dtype`; its own memory where that is its dtype.
at::Tensor frozen(const at::Tensor& parameter, at::ScalarType dtype);

}  // namespace memlayers::layers
