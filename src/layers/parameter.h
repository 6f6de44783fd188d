// A layer's parameters as a flat list: name, tensor, and how it is initialized.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace memlayers::layers {

/// What a tensor holds before training. `scale` is the bound of kUniform, the deviation of the normals
/// and the value of kConstant.
struct Initializer {
  enum class Kind { kConstant, kUniform, kNormal, kTruncatedNormal };
  Kind kind = Kind::kConstant;
  double scale = 0;

  static Initializer constant(double value) { return {Kind::kConstant, value}; }
  static Initializer uniform(double bound) { return {Kind::kUniform, bound}; }
  static Initializer normal(double deviation) { return {Kind::kNormal, deviation}; }
  /// Cut at three deviations.
  static Initializer truncated_normal(double deviation) { return {Kind::kTruncatedNormal, deviation}; }
};

struct Parameter {
  std::string name;    // "model.layers.3.memory.query_proj.weight"
  at::Tensor* tensor;  // the layer's own member, so that loading can replace it
  Initializer initializer = {};
};

using ParameterList = std::vector<Parameter>;

}  // namespace memlayers::layers
