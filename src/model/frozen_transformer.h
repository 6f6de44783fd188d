// A model that answers and does not learn.
#pragma once

#include "layers/key_value_cache.h"
#include "model/transformer.h"

namespace memlayers::model {

/// Computes what the model computes in evaluation, without gradients, and continues from a cache. Constant: any number
/// of threads may ask at once, each with a cache of its own. It shares the model's tensors where nothing had to be cast
/// or packed, and may outlive the model.
class FrozenTransformer {
 public:
  /// tokens [B, T] int64 -> the final hidden states [B, T, d]. With a cache, positions continue where it ends and it
  /// grows. Throws UsageError: more positions than max_position_embeddings; the model was trained, or loaded, since it
  /// was frozen.
  at::Tensor hidden(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr) const;
  /// hidden [.., d] -> logits [.., V] float32.
  at::Tensor head(const at::Tensor& hidden) const;
  /// Both: logits [B, T, V].
  at::Tensor forward(const at::Tensor& tokens, layers::KeyValueCache* cache = nullptr) const;
  const ModelConfig& config() const;

 private:
  friend class Transformer;
  explicit FrozenTransformer(const Network& network);

  std::shared_ptr<const Network> network_;
  int64_t version_;  // of a tensor that every training step and every loading changes
};

}  // namespace memlayers::model
