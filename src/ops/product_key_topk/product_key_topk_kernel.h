// The CPU kernels of product_key_topk over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

inline constexpr int64_t kKeysPerPanel = 32;
inline constexpr int64_t kTokensPerBlock = 16;

/// Letters as in product_key_topk.h. All arrays are contiguous.
struct TopKShape {
  int64_t heads = 0;         // H
  int64_t num_sub_keys = 0;  // n
  int64_t half_dim = 0;      // K/2
  int64_t k = 0;

  int64_t num_panels() const { return (num_sub_keys + kKeysPerPanel - 1) / kKeysPerPanel; }
  int64_t padded_keys() const { return num_panels() * kKeysPerPanel; }
  /// Ranks of a half that are looked at: k, and one more to see whether a tie continues.
  int64_t half_candidates() const { return k < num_sub_keys ? k + 1 : num_sub_keys; }
  /// Pairs of ranks (i, j), counted from 1, with i * j <= k.
  int64_t staircase_pairs() const {
    int64_t pairs = 0;
    for (int64_t i = 1; i <= k && i <= num_sub_keys; ++i) pairs += k / i < num_sub_keys ? k / i : num_sub_keys;
    return pairs;
  }
};

/// An index with its score; of a half (sub-key) or of a pair (slot).
template <class T>
struct Candidate {
  T score;
  int64_t index;
};

/// One thread's working memory.
template <class T>
struct TopKScratch {
  T* half_scores;        // [kTokensPerBlock, 2, padded_keys]
  Candidate<T>* halves;  // [2, n]: the first half_candidates of each end up sorted
  Candidate<T>* pairs;   // [staircase_pairs]
};

template <class T>
struct TopKFunctions {
  /// Tokens [first, last): query [N, H, 2, K/2]; panels [H, 2, num_panels, K/2, kKeysPerPanel], sub-keys transposed and
  /// padded; scores and slots [N, H, k].
  void (*forward)(const TopKShape&, const T* query, const T* panels, T* scores, int64_t* slots,
                  const TopKScratch<T>& scratch, int64_t first, int64_t last);
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
