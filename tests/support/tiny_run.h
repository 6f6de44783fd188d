// A training run of well under a second: two blocks of width 16, one of them with a memory layer of 64 slots.
#pragma once

#include "support/tiny_data.h"
#include "training/trainer.h"

namespace memlayers::tests {

inline model::ModelConfig tiny_model() {
  model::ModelConfig model;
  model.vocab_size = 0;
  model.hidden_size = 16;
  model.intermediate_size = 32;
  model.num_hidden_layers = 2;
  model.num_attention_heads = 2;
  model.max_position_embeddings = 32;
  model.memory.layers = {1};
  model.memory.num_sub_keys = 8;
  model.memory.heads = 2;
  model.memory.top_k = 4;
  model.memory.key_dim = 8;
  model.memory.value_dropout = 0.1;  // so that a resumed run must draw the same masks
  model.memory.random_reads = 1;     // and slots
  return model;
}

/// Reads `data` (write_tiny_data), writes `output`.
inline training::TrainConfig tiny_run(const std::filesystem::path& data, const std::filesystem::path& output) {
  training::TrainConfig config;
  config.output = output.string();
  config.model = tiny_model();
  config.data.sources = {{data.string(), 1.0}};
  config.data.seq_len = 16;
  config.data.batch_size = 4;
  config.optimizer.learning_rate = 3e-3;
  config.optimizer.warmup_steps = 2;
  config.steps = 8;
  config.dtype = model::ComputeDtype::kFloat32;
  config.checkpoint_every = 3;
  config.keep_checkpoints = 0;
  config.log_every = 1;
  config.threads = 1;
  config.tensorboard = false;
  return config;
}

}  // namespace memlayers::tests
