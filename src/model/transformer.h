// The decoder-only transformer: embedding, blocks, norm, head. Forward only; parameters live in the layers.
//
//   h = x + Attention(RMSNorm(x));  out = h + FeedForwardOrExpertsOrMemory(RMSNorm(h)), see layers/block.h
#pragma once

#include <memory>
#include <vector>

#include "layers/local_table.h"
#include "layers/parameter.h"
#include "layers/pass.h"
#include "model/model_config.h"

namespace memlayers::model {

class FrozenTransformer;
struct Network;

/// What makes a model's tables where the caller does not say.
inline const layers::TableFactory kUsualTables = layers::make_local_table;

class Transformer {
 public:
  /// Parameters are allocated (float32) and initialized by `seed`, biases with zero. Each tensor's stream is keyed by
  /// (seed, its name): dense parts of equal shape start equal in a dense and in a memory model. Throws UsageError: a
  /// configuration that does not fit, or vocab_size 0.
  Transformer(const ModelConfig& config, uint64_t seed, const layers::TableFactory& make_table = kUsualTables);
  /// The same without values, for loading: every tensor must then be filled.
  struct Uninitialized {};
  Transformer(const ModelConfig& config, Uninitialized, const layers::TableFactory& make_table = kUsualTables);
  ~Transformer();
  Transformer(Transformer&&) noexcept;
  Transformer(const Transformer&) = delete;  // a copy would share its tensors and tables
  Transformer& operator=(const Transformer&) = delete;

  /// tokens [B, T] int64 -> logits [B, T, V] float32, of a pass that its caller holds or, without one, of evaluation.
  /// What training leaves in the pass is in layers/pass.h. A training pass moves the buffers (batch-norm's running
  /// statistics); nothing else of the model changes. Throws UsageError: more positions than max_position_embeddings.
  at::Tensor forward(const at::Tensor& tokens, layers::Pass& pass) const;
  at::Tensor forward(const at::Tensor& tokens) const;
  /// The final hidden states [B, T, d] before the head.
  at::Tensor hidden(const at::Tensor& tokens, layers::Pass& pass) const;
  at::Tensor hidden(const at::Tensor& tokens) const;
  /// What training minimizes, and the part of it that other kinds of model have too.
  struct Losses {
    at::Tensor cross_entropy;
    at::Tensor total;  // with the experts' balance losses, which exist in training only
  };
  /// Mean cross-entropy in float32 of predicting tokens[:, 1:] from tokens[:, :-1]; tokens [B, T + 1] int64. The logits
  /// exist only for a few rows at a time (model/cross_entropy.h).
  Losses losses(const at::Tensor& tokens, layers::Pass& pass) const;
  Losses losses(const at::Tensor& tokens) const;
  /// The total.
  at::Tensor loss(const at::Tensor& tokens, layers::Pass& pass) const { return losses(tokens, pass).total; }
  at::Tensor loss(const at::Tensor& tokens) const { return losses(tokens).total; }

  /// What decodes: all that does not change from token to token is made here, once. To be made anew after training.
  FrozenTransformer freeze() const;

  const ModelConfig& config() const;
  /// All trained tensors except the tables, in checkpoint order, under their names in files.
  const layers::ParameterList& parameters() const { return parameters_; }
  /// Named "model.memory_tables.{t}.weight" (peer: ".down.weight", ".up.weight"), then "model.ngram_tables.{t}.weight".
  struct NamedTable {
    std::string name;
    std::shared_ptr<layers::MemoryTable> table;
  };
  const std::vector<NamedTable>& tables() const { return tables_; }
  /// What the experts of each block that has some did with a training pass; named as its tensors, "model.layers.3.mlp".
  /// Empty where the pass was none, or none of this model's.
  struct NamedUse {
    std::string name;
    layers::ExpertUse use;
  };
  std::vector<NamedUse> expert_use(const layers::Pass& pass) const;
  /// Buffers saved with the model but not trained (batch-norm statistics).
  const layers::ParameterList& buffers() const { return buffers_; }

  /// Compute dtype of matrix products and tables: parameters stay float32 masters, cast inside; the residual stream,
  /// norms, scores and the loss are float32. The tables themselves are converted (their only copy).
  void set_compute_dtype(at::ScalarType dtype);

 private:
  std::unique_ptr<Network> network_;
  layers::ParameterList parameters_, buffers_;  // they point into the network
  std::vector<NamedTable> tables_;
};

}  // namespace memlayers::model
