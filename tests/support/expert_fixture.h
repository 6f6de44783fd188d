// One mixture of experts, set up for a test.
#pragma once

#include <ATen/ATen.h>

#include <stdexcept>

#include "layers/mixture_of_experts.h"

namespace memlayers::tests {

struct ExpertFixture {
  layers::MixtureOfExperts layer;
  layers::ParameterList parameters;
  layers::Pass pass;
  layers::ForwardContext context{&pass};

  ExpertFixture(const layers::ExpertConfig& config, int64_t hidden, uint64_t seed = 1) : layer(config, hidden) {
    layer.collect("mlp", parameters);
    for (const layers::Parameter& parameter : parameters) {
      layers::initialize(parameter, seed);
      parameter.tensor->set_requires_grad(true);
    }
  }
  ExpertFixture(const ExpertFixture&) = delete;  // the parameters point into the layer
  ExpertFixture& operator=(const ExpertFixture&) = delete;

  at::Tensor forward(const at::Tensor& x) {
    pass.balance_loss.reset();
    pass.expert_use.clear();
    return layer.forward(x, context);
  }

  at::Tensor& parameter(const std::string& name) {
    for (const layers::Parameter& parameter : parameters) {
      if (parameter.name == "mlp." + name) return *parameter.tensor;
    }
    throw std::runtime_error("no parameter " + name);
  }

  void to(at::ScalarType dtype) {
    context.dtype = dtype;
    for (const layers::Parameter& parameter : parameters) {
      *parameter.tensor = parameter.tensor->detach().to(dtype).set_requires_grad(true);
    }
  }
};

}  // namespace memlayers::tests
