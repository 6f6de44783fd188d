// Small models for tests, and a model's tensors by name.
#pragma once

#include <ATen/ATen.h>

#include <map>

#include "model/transformer.h"
#include "support/memory_fixture.h"

namespace memlayers::tests {

/// Three blocks of width 32; memory layers where `layers` says.
inline model::ModelConfig tiny_config(std::vector<int64_t> layers = {1}) {
  model::ModelConfig config;
  config.vocab_size = 67;
  config.hidden_size = 32;
  config.intermediate_size = 64;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 64;
  config.memory.layers = std::move(layers);
  config.memory.num_sub_keys = 8;
  config.memory.heads = 2;
  config.memory.top_k = 4;
  return config;
}

/// The same with four experts in `layers`, none with memory.
inline model::ModelConfig tiny_expert_config(std::vector<int64_t> layers = {0, 2}) {
  model::ModelConfig config = tiny_config({});
  config.experts.layers = std::move(layers);
  config.experts.num_experts = 4;
  config.experts.top_k = 2;
  config.experts.intermediate_size = 24;
  return config;
}

/// The same with n-gram layers in `layers`, each with a table of 2 * 2 * 50 rows.
inline model::ModelConfig tiny_ngram_config(std::vector<int64_t> layers = {0, 2}) {
  model::ModelConfig config = tiny_config({});
  config.ngrams.layers = std::move(layers);
  config.ngrams.hashes = 2;
  config.ngrams.rows = 50;
  return config;
}

/// Parameters that start at zero hide what lies behind them: gives them random values.
inline void fill_zero_parameters(model::Transformer& model) {
  for (const layers::Parameter& parameter : model.parameters()) {
    const bool zero =
        parameter.initializer.kind == layers::Initializer::Kind::kConstant && parameter.initializer.scale == 0;
    if (zero) layers::initialize({parameter.name, parameter.tensor, layers::Initializer::normal(0.2)}, 11);
  }
}

/// Tokens [batch, length] that differ with `seed`.
inline at::Tensor tiny_tokens(int64_t batch, int64_t length, int64_t seed = 1, int64_t vocabulary = 67) {
  const at::Tensor i = at::arange(batch * length, at::kLong) + 1000 * seed;
  return at::remainder(i * i * 31 + i * 17 + 5 * seed, vocabulary).view({batch, length});
}

/// Parameters, buffers and tables (the tensors themselves, detached).
inline std::map<std::string, at::Tensor> named_tensors(const model::Transformer& model) {
  std::map<std::string, at::Tensor> tensors;
  for (const layers::Parameter& parameter : model.parameters()) tensors[parameter.name] = parameter.tensor->detach();
  for (const layers::Parameter& buffer : model.buffers()) tensors[buffer.name] = *buffer.tensor;
  for (const auto& [name, table] : model.tables()) tensors[name] = rows_of(*table);
  return tensors;
}

/// After a backward pass; tables from their records.
inline std::map<std::string, at::Tensor> named_gradients(const model::Transformer& model) {
  std::map<std::string, at::Tensor> gradients;
  for (const layers::Parameter& parameter : model.parameters()) gradients[parameter.name] = parameter.tensor->grad();
  for (const auto& [name, table] : model.tables()) gradients[name] = dense_gradient(*table);
  return gradients;
}

}  // namespace memlayers::tests
