#include "layers/linear.h"

#include <ATen/ATen.h>

#include "ops/rms_norm/rms_norm.h"

namespace memlayers::layers {

Linear::Linear(int64_t in, int64_t out, bool bias) : weight_(at::empty({out, in}, at::kFloat)) {
  if (bias) bias_ = at::empty({out}, at::kFloat);
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  const at::ScalarType dtype = x.scalar_type();
  if (!bias_.defined()) return at::linear(x, weight_.to(dtype));
  return at::linear(x, weight_.to(dtype), bias_.to(dtype));
}

void Linear::collect(const std::string& name, Initializer initializer, ParameterList& list) {
  list.push_back({name + ".weight", &weight_, initializer});
  if (bias_.defined()) list.push_back({name + ".bias", &bias_, Initializer::constant(0)});
}

void Linear::freeze(at::ScalarType dtype) {
  weight_ = frozen(weight_, dtype);
  if (bias_.defined()) bias_ = frozen(bias_, dtype);
}

RmsNorm::RmsNorm(int64_t size, double eps) : weight_(at::empty({size}, at::kFloat)), eps_(eps) {}

at::Tensor RmsNorm::forward(const at::Tensor& x, at::ScalarType dtype) const {
  const at::Tensor wide = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  return rms_normalize(wide, weight_, eps_).to(dtype);
}

void RmsNorm::collect(const std::string& name, ParameterList& list, double value) {
  list.push_back({name + ".weight", &weight_, Initializer::constant(value)});
}

at::Tensor rms_normalize(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return ops::rms_norm(x, weight.to(x.scalar_type()), eps);
}

at::Tensor frozen(const at::Tensor& parameter, at::ScalarType dtype) { return parameter.detach().to(dtype); }

}  // namespace memlayers::layers
