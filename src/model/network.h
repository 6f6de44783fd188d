// The parts of a transformer and what they compute; a model's trained ones, or a frozen copy of them for decoding.
#pragma once

#include <optional>
#include <vector>

#include "layers/block.h"
#include "model/model_config.h"

namespace memlayers::model {

struct Network {
  /// Everything but the blocks and the embedding's memory, allocated.
  explicit Network(const ModelConfig& config);

  /// tokens [B, T] int64 -> [B, T, d] in `dtype`. With a cache (of a frozen network), positions continue where it ends
  /// and it grows. The pass's balance loss and expert use are this pass's then. A training pass moves the running
  /// statistics of query batch-norm, and nothing else that is here. Throws UsageError: more positions than
  /// max_position_embeddings.
  at::Tensor hidden(const at::Tensor& tokens, layers::Pass& pass, layers::KeyValueCache* cache = nullptr) const;
  /// hidden [.., d] -> logits [.., V] float32 (float64 for float64).
  at::Tensor logits(const at::Tensor& hidden) const;
  const at::Tensor& head_weight() const { return head ? head->weight() : embedding; }
  /// Appends all parameters and buffers in checkpoint order.
  void collect(layers::ParameterList& parameters, layers::ParameterList& buffers);
  /// A copy for evaluation alone, which shares all tensors that need not be cast or packed. Brings tables up to date.
  Network frozen() const;

  ModelConfig config;
  at::ScalarType dtype = at::kFloat;           // of matrix products
  at::Tensor embedding;                        // [V, d]
  std::optional<layers::RmsNorm> memory_norm;  // placement embedding only
  std::optional<layers::MemoryLayer> embedding_memory;
  std::vector<layers::Block> blocks;
  layers::RmsNorm norm;
  std::optional<layers::Linear> head;  // none when tied
  layers::Rotary rotary;

 private:
  at::Tensor embed(const at::Tensor& tokens, const layers::ForwardContext& context) const;
};

/// "model.layers.I"
std::string block_name(size_t block);

/// The whole, with the blocks and the embedding's memory, and with the tables that they read. Appends the tables:
/// memory's in the order of the layers, then the n-grams'.
Network build_network(const ModelConfig& config, const layers::TableFactory& make_table,
                      std::vector<std::shared_ptr<layers::MemoryTable>>& tables);

}  // namespace memlayers::model
