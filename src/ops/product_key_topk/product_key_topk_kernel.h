// The CPU kernels of product_key_topk over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

#include "ops/product_key_topk/pair_shapes.h"

namespace memlayers::ops {

inline constexpr int64_t kKeysPerPanel = 32;
/// Panels that so many rows fill.
constexpr int64_t panels_of(int64_t rows) { return (rows + kKeysPerPanel - 1) / kKeysPerPanel; }
inline constexpr int64_t kPad = 16;  // elements that a vector may touch beyond the end of a list

/// Letters as in product_key_topk.h. All arrays are contiguous.
struct TopKShape {
  int64_t heads = 0;         // H
  int64_t num_sub_keys = 0;  // n
  int64_t half_dim = 0;      // K/2
  int64_t k = 0;

  int64_t num_panels() const { return panels_of(num_sub_keys); }
  int64_t padded_keys() const { return num_panels() * kKeysPerPanel; }
  /// Ranks of a half that are looked at: k, and one more to see whether a tie continues.
  int64_t half_candidates() const { return k < num_sub_keys ? k + 1 : num_sub_keys; }
  /// Pairs of ranks (i, j), counted from 1, with i * j <= k.
  int64_t staircase_pairs() const {
    int64_t pairs = 0;
    for (int64_t i = 1; i <= k && i <= num_sub_keys; ++i) pairs += k / i < num_sub_keys ? k / i : num_sub_keys;
    return pairs;
  }
  /// Tokens that are scored together. Each block reads all sub-keys once, so wide sub-keys want many tokens; the scores
  /// of a block want to stay in a second-level cache, but cost little beside wide products where they do not.
  int64_t tokens_per_block() const {
    const int64_t by_cache = 65536 / padded_keys(), by_width = half_dim / 4;
    const int64_t tiles = (by_cache > by_width ? by_cache : by_width) / 12;
    return 12 * (tiles < 1 ? 1 : tiles > 10 ? 10 : tiles);
  }
};

/// Sizes of a thread's working memory, and the places in it.
struct TopKScratchLayout {
  int64_t tokens;            // of a block
  int64_t list;              // room of a half's candidates, padded
  int64_t pairs;             // room of the staircase, padded
  int64_t numbers, indices;  // totals to allocate, in elements

  TopKScratchLayout(const TopKShape& shape, int64_t block_tokens)
      : tokens(block_tokens), list(shape.padded_keys() + 2 * kPad), pairs(shape.staircase_pairs() + 2 * kPad) {
    numbers = tokens * (shape.half_dim + 2 * shape.padded_keys()) + 4 * list + 2 * pairs;
    indices = 4 * list + 4 * pairs;
  }
};

template <class T>
struct TopKFunctions {
  /// Panels [first, last) of H * 2 * num_panels: sub_keys [H, 2, n, K/2] transposed in groups, padded with zeros.
  void (*pack_panels)(const TopKShape&, const T* sub_keys, T* panels, int64_t first, int64_t last);
  /// Tasks [first, last), each a block of layout.tokens tokens and one head, the heads of a block one after another:
  /// query [N, H, 2, K/2]; panels as packed; scores and slots [N, H, k]. Working memory as `layout` says; `shapes` are
  /// k's.
  void (*forward)(const TopKShape&, const T* query, const T* panels, T* scores, int64_t* slots,
                  const TopKScratchLayout& layout, const PairShapes& shapes, T* numbers, int32_t* indices,
                  int64_t num_tokens, int64_t first, int64_t last);
  /// Tokens [first, last) of grad_query [N, H, 2, K/2]; sub_keys [H, 2, n, K/2]; grad_scores and slots [N, H, k].
  void (*query_gradient)(const TopKShape&, const T* grad_scores, const int64_t* slots, const T* sub_keys, T* grad_query,
                         int64_t first, int64_t last);
  /// Columns [first, last) of grad_sub_keys [H, 2, n, K/2] (zero before), one head and half, over all `tokens`.
  void (*key_gradient)(const TopKShape&, const T* grad_scores, const int64_t* slots, const T* query, T* grad_sub_keys,
                       int64_t tokens, int64_t head, int64_t half, int64_t first, int64_t last);
};

struct TopKKernel {
  TopKFunctions<float> float32;
  TopKFunctions<double> float64;
};

namespace baseline {
extern const TopKKernel kTopKKernel;
}
namespace avx2 {
extern const TopKKernel kTopKKernel;
}
namespace avx512 {
extern const TopKKernel kTopKKernel;
}

}  // namespace memlayers::ops
