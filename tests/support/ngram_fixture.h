// One n-gram layer with its table, set up for a test.
#pragma once

#include <ATen/ATen.h>

#include <stdexcept>

#include "layers/ngram_layer.h"
#include "support/memory_fixture.h"

namespace memlayers::tests {

struct NgramFixture {
  layers::NgramConfig config;
  std::shared_ptr<layers::MemoryTable> table;
  std::unique_ptr<layers::NgramLayer> layer;
  layers::ParameterList parameters;
  layers::Pass pass;
  layers::ForwardContext context{&pass};

  NgramFixture(const layers::NgramConfig& given, int64_t hidden, int64_t bos = 1, uint64_t seed = 1) : config(given) {
    table = layers::make_local_table({"table", config.reads() * config.rows, config.value_dim});
    layers::initialize({"table", &rows_of(*table), layers::Initializer::normal(0.5)}, seed);
    layer = std::make_unique<layers::NgramLayer>(config, layers::NgramLayer::Options{hidden, 1e-5, 3, {bos, 0}}, table);
    layer->collect("ngrams", parameters);
    for (const layers::Parameter& parameter : parameters) {
      layers::initialize(parameter, seed);
      parameter.tensor->set_requires_grad(true);
    }
  }

  NgramFixture(const NgramFixture&) = delete;  // the context points into it
  NgramFixture& operator=(const NgramFixture&) = delete;

  at::Tensor forward(const at::Tensor& x, const at::Tensor& tokens) {
    context.tokens = &tokens;
    return layer->forward(x, context);
  }

  at::Tensor& parameter(const std::string& name) {
    for (const layers::Parameter& parameter : parameters) {
      if (parameter.name == "ngrams." + name) return *parameter.tensor;
    }
    throw std::runtime_error("no parameter " + name);
  }

  /// value_proj starts at zero, which hides everything.
  void fill_value_proj() {
    at::manual_seed(5);
    parameter("value_proj.weight").detach().copy_(at::randn(parameter("value_proj.weight").sizes()) / 4);
  }

  void to(at::ScalarType dtype) {
    context.dtype = dtype;
    for (const layers::Parameter& parameter : parameters) {
      *parameter.tensor = parameter.tensor->detach().to(dtype).set_requires_grad(true);
    }
    table->set_dtype(dtype);
  }
};

}  // namespace memlayers::tests
