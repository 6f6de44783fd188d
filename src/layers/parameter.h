// A layer's parameters as a flat list: name, tensor, and how it is initialised.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace memlayers::layers {

struct Parameter {
  std::string name;     // "model.layers.3.memory.query_proj.weight"
  at::Tensor* tensor;   // the layer's own member, so that loading can replace it
};

using ParameterList = std::vector<Parameter>;

}  // namespace memlayers::layers
