// A model small enough to be run thousands of times in a test, with a memory layer in its second block.
#pragma once

#include "model/transformer.h"

namespace memlayers::testing {

inline model::ModelConfig tiny_config(int64_t vocab_size = 40) {
  model::ModelConfig config;
  config.vocab_size = vocab_size;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.max_position_embeddings = 128;
  config.memory.layers = {1};
  config.memory.num_sub_keys = 8;
  config.memory.heads = 2;
  config.memory.top_k = 4;
  config.validate();
  return config;
}

/// Logits spread widely enough for greedy decoding to be clear of rounding.
inline model::Transformer tiny_model(uint64_t seed = 3, int64_t vocab_size = 40) {
  return {tiny_config(vocab_size), seed};
}

}  // namespace memlayers::testing
