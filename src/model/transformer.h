// The decoder-only transformer: embedding, blocks, norm, head. Forward only; parameters live in the layers.
//
//   h = x + Attention(RMSNorm(x));  out = h + FeedForwardOrExpertsOrMemory(RMSNorm(h)), see layers/block.h
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
  /// Parameters are allocated (float32) and initialised by `seed` as paper.md 2.4 says (biases zero). Each tensor's stream
  /// is keyed by (seed, its name): dense parts of equal shape start equal in a dense and in a memory model.
  /// Throws UsageError: a configuration that does not fit, or vocab_size 0.
  Transformer(const ModelConfig& config, uint64_t seed);
  /// The same without values, for loading: every tensor must then be filled.
  struct Uninitialized {};
  Transformer(const ModelConfig& config, Uninitialized);

  /// tokens [B, T] int64 -> logits [B, T, V] float32. With a cache (inference: nothing is recorded for a backward pass),
  /// positions continue where it ends and it grows. Throws UsageError: more positions than max_position_embeddings.
  at::Tensor forward(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr);
  /// The final hidden states [B, T, d] before the head (loss without all logits, serving the last position only).
  at::Tensor hidden(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr);
  /// hidden [.., d] -> logits [.., V] float32.
  at::Tensor head(const at::Tensor& hidden) const;
  /// What training minimizes, and the part of it that other kinds of model have too.
  struct Losses {
    at::Tensor cross_entropy;
    at::Tensor total;  // with the experts' balance losses, which exist in training only
  };
  /// Mean cross-entropy in float32 of predicting tokens[:, 1:] from tokens[:, :-1]; tokens [B, T + 1] int64. The logits
  /// exist only for a few rows at a time (model/cross_entropy.h).
  Losses losses(const at::Tensor& tokens);
  /// The total.
  at::Tensor loss(const at::Tensor& tokens) { return losses(tokens).total; }

  const ModelConfig& config() const { return config_; }
  /// All trained tensors except the tables, in checkpoint order, under their names of DESIGN section 3.
  const layers::ParameterList& parameters() const { return parameters_; }
  /// Named "model.memory_tables.{t}.weight" (peer: ".down.weight", ".up.weight"), then "model.ngram_tables.{t}.weight".
  struct NamedTable {
    std::string name;
    std::shared_ptr<layers::MemoryTable> table;
  };
  const std::vector<NamedTable>& tables() const { return tables_; }
  /// What the experts of each block that has some did with the last training pass; named as its tensors, "model.layers.3.mlp".
  struct NamedUse {
    std::string name;
    layers::ExpertUse use;
  };
  std::vector<NamedUse> expert_use() const;
  /// Buffers saved with the model but not trained (batch-norm statistics).
  const layers::ParameterList& buffers() const { return buffers_; }

  /// Dropout and batch statistics on or off; off in a new model.
  void set_training(bool training);
  /// Compute dtype of matrix products and tables: parameters stay float32 masters, cast inside; the residual stream,
  /// norms, scores and the loss are float32. The tables themselves are converted (their only copy).
  void set_compute_dtype(at::ScalarType dtype);
  /// Dropout masks from here on are a function of (seed, step) and of how many were drawn since: call it once a step,
  /// before the first micro-batch, and a resumed run draws what an uninterrupted one does.
  void set_dropout_stream(uint64_t seed, uint64_t step);

 private:
  struct Parts;  // embedding, blocks, norm, head
  void list_parameters();
  layers::ForwardContext context(layers::KeyValueCache* cache);
  at::Tensor embed(const at::Tensor& tokens, const layers::ForwardContext& context) const;
  ModelConfig config_;
  std::shared_ptr<Parts> parts_;
  layers::ParameterList parameters_, buffers_;
  std::vector<NamedTable> tables_;
};

}  // namespace memlayers::model
