// The forward pass of product_key_topk where AMX multiplies bfloat16 sixteen times as fast as AVX-512 float32: half
// scores from bfloat16 products leave out almost all sub-keys, with a bound on their error that holds for every input;
// the few that are left are scored again in float32, in the order of the definition. So the result has the bits of the
// other kernels.
#pragma once

#include <cstdint>

#include "ops/product_key_topk/pair_shapes.h"
#include "ops/product_key_topk/product_key_topk_kernel.h"

namespace memlayers::ops {

/// Sizes of a task's working memory: all tokens of a block, one head. In elements.
struct TopKFilterLayout {
  static constexpr int64_t kTokensPerTile = 32, kMostTokens = 256;
  static constexpr int64_t kChunk = 512;   // sub-keys that all tokens meet before the next are converted
  static constexpr int64_t kListed = 512;  // sub-keys of a token and half that may be kept before all are scored again
  /// From this half_dim on, reading a sub-key again costs more than a second product that leaves fewer of them.
  static constexpr int64_t kSplitDim = 768;

  int64_t tokens;       // of a block, whole tiles
  int64_t padded_dim;   // half_dim, whole tiles
  int64_t query_parts;  // bfloat16 numbers whose sum is a query's number
  TopKScratchLayout picker;
  int64_t numbers, indices, narrow;  // totals to allocate: float, int32, bfloat16

  TopKFilterLayout(const TopKShape& shape, int64_t block_tokens)
      : tokens((block_tokens + kTokensPerTile - 1) / kTokensPerTile * kTokensPerTile),
        padded_dim((shape.half_dim + 31) / 32 * 32),
        query_parts(shape.half_dim < kSplitDim ? 1 : 2),
        picker(shape, 0) {
    if (tokens > kMostTokens) tokens = kMostTokens;
    const int64_t room = kListed + kChunk + kPad;
    numbers = kTokensPerTile * kChunk + tokens * 2 * (PairShapes::kListed + room) + 4 * picker.list + picker.numbers;
    indices = tokens * 2 * room + 4 * picker.list + picker.indices;
    narrow = (tokens * query_parts + kChunk + 16) * padded_dim;
  }
};

struct TopKFilter {
  /// Whether the filter is the faster way. It also needs k of at most kListed of PairShapes and whole panels of
  /// sub-keys.
  static bool suits(const TopKShape& shape, int64_t tokens) {
    return shape.k <= PairShapes::kListed && shape.num_sub_keys % kKeysPerPanel == 0 && shape.num_sub_keys >= 512 &&
           shape.half_dim >= 64 && tokens >= TopKFilterLayout::kTokensPerTile;
  }

  /// Tokens [first, last), at most layout.tokens, of one head: query [N, H, 2, K/2]; sub_keys [H, 2, n, K/2]; scores
  /// and slots [N, H, k]; working memory as `layout` says, aligned to 64 bytes.
  void (*forward)(const TopKShape&, const TopKFilterLayout& layout, const PairShapes& shapes, const float* query,
                  const float* sub_keys, float* scores, int64_t* slots, float* numbers, int32_t* indices,
                  uint16_t* narrow, int64_t head, int64_t first, int64_t last);
};

namespace amx {
extern const TopKFilter kTopKFilter;
}

}  // namespace memlayers::ops
