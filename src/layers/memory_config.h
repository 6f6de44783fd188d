// The memory layers' options. Letters as in docs/notation.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/config.h"

namespace memlayers::layers {

enum class MemoryOutput { kGated, kPlain };
constexpr auto enum_names(MemoryOutput) {
  return std::array{std::pair{MemoryOutput::kGated, "gated"}, std::pair{MemoryOutput::kPlain, "plain"}};
}
enum class MemoryVariant { kValues, kPeer };
constexpr auto enum_names(MemoryVariant) {
  return std::array{std::pair{MemoryVariant::kValues, "values"}, std::pair{MemoryVariant::kPeer, "peer"}};
}
enum class MemoryPlacement { kReplace, kBeside, kEmbedding };
constexpr auto enum_names(MemoryPlacement) {
  return std::array{std::pair{MemoryPlacement::kReplace, "replace"}, std::pair{MemoryPlacement::kBeside, "beside"},
                    std::pair{MemoryPlacement::kEmbedding, "embedding"}};
}
enum class EmbeddingMode { kAdd, kReplace };
constexpr auto enum_names(EmbeddingMode) {
  return std::array{std::pair{EmbeddingMode::kAdd, "add"}, std::pair{EmbeddingMode::kReplace, "replace"}};
}

struct MemoryConfig {
  base::IndexList layers;
  MemoryPlacement placement = MemoryPlacement::kReplace;
  EmbeddingMode embedding_mode = EmbeddingMode::kAdd;
  int64_t num_sub_keys = 1024;
  int64_t heads = 4;
  int64_t top_k = 32;
  int64_t key_dim = 0;    // 0: hidden_size / 2
  int64_t value_dim = 0;  // 0: hidden_size
  MemoryOutput output = MemoryOutput::kGated;
  MemoryVariant variant = MemoryVariant::kValues;
  bool shared_table = true;
  bool scalar_gate = false;
  bool qk_norm = false;
  bool query_batch_norm = false;
  bool softmax_sink = false;
  int64_t random_reads = 0;
  double input_dropout = 0, query_dropout = 0, value_dropout = 0;

  /// Whether a layer of a model of width `hidden` has W2. Beside a feed-forward there is always one, since it is what
  /// starts at zero.
  bool has_out_projection(int64_t hidden) const {
    return output == MemoryOutput::kGated || value_dim != hidden || placement == MemoryPlacement::kBeside;
  }

  static constexpr auto fields() {
    using base::field;
    using C = MemoryConfig;
    return std::tuple{
        field("layers", &C::layers, "blocks with a memory layer, 0-based, or all; empty: a dense model"),
        field("placement", &C::placement, "replace the feed-forward, beside it, or at the token embedding"),
        field("embedding_mode", &C::embedding_mode, "placement embedding: add to the token embedding or replace it"),
        field("num_sub_keys", &C::num_sub_keys, "n, sub-keys per head and half; the table has n*n slots"),
        field("heads", &C::heads, "H, memory reading heads"),
        field("top_k", &C::top_k, "k, slots read per head"),
        field("key_dim", &C::key_dim, "K, both halves together; 0: hidden_size / 2"),
        field("value_dim", &C::value_dim, "D, width of a value row; 0: hidden_size"),
        field("output", &C::output, "gated (Memory+): W2(y * silu(W1 x)); plain: y, or W2 y if D != d"),
        field("variant", &C::variant, "values (one table) or peer (two tables, GELU)"),
        field("shared_table", &C::shared_table, "one table for all memory layers, or one each"),
        field("scalar_gate", &C::scalar_gate, "multiply the output by sigmoid(Linear(d -> 1))"),
        field("qk_norm", &C::qk_norm, "RMS-normalize query halves and sub-keys, with learned scales"),
        field("query_batch_norm", &C::query_batch_norm, "batch-normalize queries over tokens (Lample et al. 2019)"),
        field("softmax_sink", &C::softmax_sink, "one more key a head and one value that every token reads (Table 3)"),
        field("random_reads", &C::random_reads,
              "slots drawn at random beside a head's k best in training, which counts them as read (Table 3)"),
        field("input_dropout", &C::input_dropout, "share of the layer's input dropped in training"),
        field("query_dropout", &C::query_dropout, "share of the queries dropped in training"),
        field("value_dropout", &C::value_dropout, "share of the bag's output dropped in training"),
    };
  }
};

}  // namespace memlayers::layers
