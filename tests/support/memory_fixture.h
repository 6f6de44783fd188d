// One memory layer with its tables, set up for a test.
#pragma once

#include <ATen/ATen.h>

#include <map>

#include "layers/local_table.h"
#include "layers/memory_layer.h"

namespace memlayers::tests {

/// The rows [S, D] of a table in memory.
inline at::Tensor& rows_of(layers::MemoryTable& table) { return layers::local_table(table, "a test").weight(); }

/// The sum of a table's records as a dense gradient [S, D].
inline at::Tensor dense_gradient(const layers::MemoryTable& table) {
  at::Tensor gradient = at::zeros({table.rows(), table.value_dim()}, table.dtype());
  for (const ops::BagRecord& record : table.records()) {
    const at::Tensor rows = record.weights.unsqueeze(2) * record.grad_output.unsqueeze(1);  // [N, M, D]
    gradient.index_add_(0, record.slots.reshape({-1}), rows.reshape({-1, gradient.size(1)}).to(gradient.scalar_type()));
  }
  return gradient;
}

struct MemoryFixture {
  layers::MemoryTables tables;
  std::unique_ptr<layers::MemoryLayer> layer;
  layers::ParameterList parameters, buffers;
  layers::Pass pass;
  layers::ForwardContext context{&pass};

  MemoryFixture(const layers::MemoryConfig& config, int64_t hidden, uint64_t seed = 1) {
    auto make_table = [&](const std::string& name) {
      auto table = layers::make_local_table({name, config.num_sub_keys * config.num_sub_keys, config.value_dim});
      layers::initialize({name, &rows_of(*table), layers::Initializer::normal(0.5)}, seed);
      return table;
    };
    tables.values = make_table("table.values");
    if (config.variant == layers::MemoryVariant::kPeer) tables.down = make_table("table.down");
    layer = std::make_unique<layers::MemoryLayer>(config, hidden, 1e-5, 0, tables);
    layer->collect("memory", parameters, buffers);
    for (const layers::Parameter& parameter : parameters) {
      layers::initialize(parameter, seed);
      parameter.tensor->set_requires_grad(true);
    }
    for (const layers::Parameter& buffer : buffers) layers::initialize(buffer, seed);
  }

  MemoryFixture(const MemoryFixture&) = delete;  // the context points into it
  MemoryFixture& operator=(const MemoryFixture&) = delete;

  at::Tensor forward(const at::Tensor& x) { return layer->forward(x, context); }

  /// forward() of a copy that is frozen now, as it decodes.
  at::Tensor decode(const at::Tensor& x) {
    layers::MemoryLayer frozen = *layer;
    frozen.freeze(x.scalar_type());
    return decode(frozen, x);
  }
  at::Tensor decode(const layers::MemoryLayer& frozen, const at::Tensor& x) {
    layers::KeyValueCache cache;
    layers::ForwardContext decoding = context;
    decoding.cache = &cache;
    return frozen.forward(x, decoding);
  }

  at::Tensor& parameter(const std::string& name) {
    for (const layers::Parameter& parameter : parameters) {
      if (parameter.name == "memory." + name) return *parameter.tensor;
    }
    throw std::runtime_error("no parameter " + name);
  }

  /// Every table as the golden files name it.
  std::map<std::string, std::shared_ptr<layers::MemoryTable>> named_tables() const {
    if (!tables.down) return {{"table.weight", tables.values}};
    return {{"table.down.weight", tables.down}, {"table.up.weight", tables.values}};
  }

  void to(at::ScalarType dtype) {
    context.dtype = dtype;
    for (const layers::ParameterList* list : {&parameters, &buffers}) {
      for (const layers::Parameter& parameter : *list) *parameter.tensor = parameter.tensor->detach().to(dtype);
    }
    for (const layers::Parameter& parameter : parameters) parameter.tensor->set_requires_grad(true);
    for (const auto& [name, table] : named_tables()) table->set_dtype(dtype);
  }
};

}  // namespace memlayers::tests
