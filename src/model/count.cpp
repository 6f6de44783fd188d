#include "model/count.h"

#include <algorithm>

namespace memlayers::model {
namespace {

using layers::MemoryConfig;
using layers::MemoryOutput;
using layers::MemoryPlacement;
using layers::MemoryVariant;

// One memory layer: trained tensors that are no table, and forward FLOPs a token.
struct MemoryLayerCount {
  int64_t parameters = 0, norms = 0;
  double flops = 0;
};

// A matrix [in, out] with or without a bias, used once per token.
void add_linear(MemoryLayerCount& count, int64_t in, int64_t out) {
  count.parameters += in * out + out;
  count.flops += 2.0 * static_cast<double>(in) * static_cast<double>(out);
}

MemoryLayerCount count_memory_layer(const MemoryConfig& memory, int64_t hidden) {
  MemoryLayerCount count;
  const int64_t width = memory.heads * memory.key_dim;
  add_linear(count, hidden, width);
  const int64_t keys = memory.num_sub_keys * width;
  count.parameters += keys;
  count.flops += 2.0 * static_cast<double>(keys);
  const bool peer = memory.variant == MemoryVariant::kPeer;
  const double bag = 2.0 * static_cast<double>(memory.heads * memory.top_k * memory.value_dim);
  count.flops += peer ? 2 * bag : bag;
  if (memory.output == MemoryOutput::kGated) add_linear(count, hidden, memory.value_dim);
  if (memory.output == MemoryOutput::kGated || memory.value_dim != hidden ||
      memory.placement == MemoryPlacement::kBeside) {
    add_linear(count, memory.value_dim, hidden);
  }
  if (memory.scalar_gate) add_linear(count, hidden, 1);
  if (memory.query_batch_norm) count.parameters += 2 * width;
  if (memory.qk_norm) count.norms += 2 * memory.key_dim;
  if (memory.placement == MemoryPlacement::kEmbedding) count.norms += hidden;
  return count;
}

int64_t count_tables(const MemoryConfig& memory) {
  if (memory.layers.empty()) return 0;
  const int64_t sets = memory.shared_table ? 1 : static_cast<int64_t>(memory.layers.size());
  const int64_t each = memory.variant == MemoryVariant::kPeer ? 2 : 1;
  return sets * each * memory.num_sub_keys * memory.num_sub_keys * memory.value_dim;
}

}  // namespace

ModelCount count_model(const ModelConfig& given, int64_t seq_len) {
  ModelConfig config = given;
  config.validate();
  const MemoryConfig& memory = config.memory;
  const int64_t d = config.hidden_size, blocks = config.num_hidden_layers;
  const int64_t memories = static_cast<int64_t>(memory.layers.size());
  const int64_t replaced = memory.placement == MemoryPlacement::kReplace ? memories : 0;
  const int64_t query_width = config.num_attention_heads * config.head_dim;
  const int64_t key_width = config.num_key_value_heads * config.head_dim;
  const MemoryLayerCount layer = memories > 0 ? count_memory_layer(memory, d) : MemoryLayerCount{};

  ModelCount count;
  count.embedding = config.vocab_size * d;
  count.head = config.tie_word_embeddings ? 0 : config.vocab_size * d;
  count.attention = blocks * 2 * d * (query_width + key_width);
  count.feed_forward = (blocks - replaced) * 3 * d * config.intermediate_size;
  count.memory_dense = memories * layer.parameters;
  count.tables = count_tables(memory);
  count.norms = (2 * blocks + 1) * d + memories * layer.norms;
  count.total = count.embedding + count.head + count.attention + count.feed_forward + count.memory_dense + count.tables;

  const double scores = 2.0 * static_cast<double>(query_width) * static_cast<double>(seq_len);  // 4 * width * T / 2
  count.flops_attention = 2.0 * static_cast<double>(count.attention) + static_cast<double>(blocks) * scores;
  count.flops_feed_forward = 2.0 * static_cast<double>(count.feed_forward);
  count.flops_memory = static_cast<double>(memories) * layer.flops;
  count.flops_head = 2.0 * static_cast<double>(config.vocab_size * d);
  count.flops_forward = count.flops_attention + count.flops_feed_forward + count.flops_memory + count.flops_head;
  count.flops_training = 3 * count.flops_forward;
  return count;
}

}  // namespace memlayers::model
