// The decoder-only transformer: embedding, blocks, norm, head. Forward only; parameters live in the layers.
//
//   h = x + Attention(RMSNorm(x));  out = h + FeedForwardOrMemory(RMSNorm(h))
#pragma once

#include <memory>
#include <vector>

#include "layers/block.h"
#include "layers/memory_table.h"
#include "layers/parameter.h"
#include "model/model_config.h"

namespace memlayers::model {

class Transformer {
 public:
  /// Parameters are allocated (float32) and initialised by `seed` as paper.md 2.4 says (biases zero).
  Transformer(const ModelConfig& config, uint64_t seed);

  /// tokens [B, T] int64 -> logits [B, T, V]. With a cache (inference), positions continue where it ends and it grows.
  at::Tensor forward(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr);
  /// The final hidden states [B, T, d] before the head (loss without all logits, serving the last position only).
  at::Tensor hidden(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr);
  /// hidden [.., d] -> logits [.., V] float32.
  at::Tensor head(const at::Tensor& hidden) const;
  /// Mean cross-entropy in float32 of predicting tokens[:, 1:] from tokens[:, :-1]; tokens [B, T + 1] int64.
  at::Tensor loss(const at::Tensor& tokens);

  const ModelConfig& config() const { return config_; }
  /// All trained tensors except the tables, in checkpoint order, under their names of DESIGN section 3.
  const layers::ParameterList& parameters() const { return parameters_; }
  /// Named "model.memory_tables.{t}.weight" (peer: ".down.weight", ".up.weight").
  struct NamedTable { std::string name; std::shared_ptr<layers::MemoryTable> table; };
  const std::vector<NamedTable>& tables() const { return tables_; }
  /// Buffers saved with the model but not trained (batch-norm statistics).
  const layers::ParameterList& buffers() const { return buffers_; }

  void set_training(bool training);
  /// Compute dtype of matrix products and tables: parameters stay float32 masters; bfloat16 casts inside.
  void set_compute_dtype(at::ScalarType dtype);

 private:
  struct Parts;  // embedding, blocks, norm, head
  ModelConfig config_;
  std::shared_ptr<Parts> parts_;
  layers::ParameterList parameters_, buffers_;
  std::vector<NamedTable> tables_;
};

}  // namespace memlayers::model
