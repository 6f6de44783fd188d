// A block of tokens is scored against one head's sub-keys and selected from while the scores are still in the cache.
//
// Scores: each dot product is summed in the order of its dimensions, lanes are sub-keys; so a score depends neither on
// the instruction set nor on which other tokens are in the batch. Half selection: the largest of each of 16 (32, 64)
// groups of scores give a bound that the best reach and almost all others do not; only those that do are sorted.
// Pairs: the staircase i * j <= k, then the ties.
//
// Ties. The order is defined on rounded sums, and a pair outside the staircase can round to the same sum as the k-th
// best, with a lower slot. (It cannot be better: it has k pairs at least as good as itself.) Among the pairs outside,
// the best of each row of the staircase is the one next to it; only if one of these k + 1 corners equals the
// k-th best score are the lowest slots with that score searched among all n * n.
#include "ops/product_key_topk/product_key_topk_kernel.h"

#include <algorithm>
#include <limits>

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kLargestInsertion = 64;  // longer lists are sorted
constexpr int kLanesPerPanel = int(kKeysPerPanel) / kLanes;
static_assert(kKeysPerPanel == 2 * kLanes);

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

/// The definition of a pair's score. A NaN (also of infinities that cancel) counts as minus infinity.
template <class T>
MEMLAYERS_INLINE T pair_score(T a, T b) {
  const T score = a + b;
  return score == score ? score : kLowest<T>;
}

template <class T>
struct Better {
  bool operator()(const Candidate<T>& a, const Candidate<T>& b) const {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
  }
};

/// Scores of `tile` tokens against one panel.
template <int tile, class T>
MEMLAYERS_INLINE void score_tile(const T* query, int64_t query_stride, const T* panel, int64_t half_dim, T* scores,
                                 int64_t score_stride) {
  Lanes<T> total[tile][kLanesPerPanel];
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) total[t][l] = broadcast(T{0});
  }
  for (int64_t d = 0; d < half_dim; ++d) {
    const Lanes<T> low = load(panel + d * kKeysPerPanel), high = load(panel + d * kKeysPerPanel + kLanes);
    for (int t = 0; t < tile; ++t) {
      const Lanes<T> factor = broadcast(query[t * query_stride + d]);
      total[t][0] = total[t][0] + factor * low;
      total[t][1] = total[t][1] + factor * high;
    }
  }
  const Lanes<T> lowest = broadcast(kLowest<T>);
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) {
      store(scores + t * score_stride + l * kLanes, replace_nan(total[t][l], lowest));
    }
  }
}

/// Sixteen (float) or so accumulators where there are 32 registers, eight where there are 16.
template <class T>
constexpr int kTile = kVectorBytes == 64   ? 32 / int(sizeof(T))
                      : kVectorBytes == 32 ? 8 / int(sizeof(T))
                                           : 1;

/// Scores of `tokens` tokens against all panels of one head and half.
template <class T>
void score_block(const T* query, int64_t query_stride, int64_t tokens, const T* panels, const TopKShape& shape,
                 T* scores, int64_t score_stride) {
  for (int64_t p = 0; p < shape.num_panels(); ++p) {
    const T* panel = panels + p * shape.half_dim * kKeysPerPanel;
    T* out = scores + p * kKeysPerPanel;
    int64_t t = 0;
    for (; t + kTile<T> <= tokens; t += kTile<T>) {
      score_tile<kTile<T>>(query + t * query_stride, query_stride, panel, shape.half_dim, out + t * score_stride,
                           score_stride);
    }
    for (; t < tokens; ++t) {
      score_tile<1>(query + t * query_stride, query_stride, panel, shape.half_dim, out + t * score_stride,
                    score_stride);
    }
  }
}

/// Puts `added` into a sorted list of `count` whose place count is free.
template <class T>
MEMLAYERS_INLINE void insert(Candidate<T>* list, int64_t count, Candidate<T> added) {
  int64_t place = count;
  for (; place > 0 && Better<T>{}(added, list[place - 1]); --place) list[place] = list[place - 1];
  list[place] = added;
}

template <class T>
void sort_candidates(Candidate<T>* list, int64_t count) {
  if (count > kLargestInsertion) {
    std::sort(list, list + count, Better<T>{});
  } else {
    for (int64_t i = 1; i < count; ++i) insert(list, i, Candidate<T>(list[i]));
  }
}

/// A score that at least `wanted` of the scores reach: of the largest of each of 16 * parts groups, the wanted-th.
template <int parts, class T>
T selection_bound(const T* scores, int64_t padded_keys, int64_t wanted) {
  Lanes<T> largest[parts];
  for (int p = 0; p < parts; ++p) largest[p] = broadcast(kLowest<T>);
  for (int64_t block = 0; block < padded_keys; block += parts * kLanes) {
    for (int p = 0; p < parts; ++p) {
      if (block + p * kLanes < padded_keys) largest[p] = larger(largest[p], load(scores + block + p * kLanes));
    }
  }
  T group[parts * kLanes];
  for (int p = 0; p < parts; ++p) store(group + p * kLanes, largest[p]);
  T bound = kLowest<T>;
  for (int i = 0; i < parts * kLanes; ++i) {
    int reached_by = 0;
    for (int p = 0; p < parts; ++p) reached_by += __builtin_popcount(at_least_bits(group + p * kLanes, group[i]));
    if (reached_by >= wanted && group[i] > bound) bound = group[i];
  }
  return bound;
}

/// The `wanted` best of n scores, sorted. Padding is minus infinity; `best` has room for n.
template <class T>
void select_half(const T* scores, int64_t n, int64_t padded_keys, int64_t wanted, Candidate<T>* best) {
  const int64_t groups = wanted + wanted / 4;  // a few more than wanted, so that the bound is no stray low group
  T bound = kLowest<T>;
  if (groups <= kLanes) {
    bound = selection_bound<1>(scores, padded_keys, wanted);
  } else if (groups <= 2 * kLanes) {
    bound = selection_bound<2>(scores, padded_keys, wanted);
  } else if (groups <= 4 * kLanes) {
    bound = selection_bound<4>(scores, padded_keys, wanted);
  }
  int64_t count = 0;
  for (int64_t block = 0; block < n; block += kLanes) {
    uint32_t bits = at_least_bits(scores + block, bound);
    if (n - block < kLanes) bits &= (1u << (n - block)) - 1;
    for (; bits != 0; bits &= bits - 1) {
      const int64_t i = block + __builtin_ctz(bits);
      best[count++] = {scores[i], i};
    }
  }
  sort_candidates(best, count);
}

/// The k best pairs of the staircase, sorted, at the front of `pairs`.
template <class T>
void select_pairs(const TopKShape& shape, const Candidate<T>* first, const Candidate<T>* second, Candidate<T>* pairs) {
  const int64_t n = shape.num_sub_keys, k = shape.k;
  const bool by_insertion = k <= kLargestInsertion;
  int64_t count = 0;
  for (int64_t i = 0; i < std::min(k, n); ++i) {
    for (int64_t j = 0; j < std::min(n, k / (i + 1)); ++j) {
      const Candidate<T> pair{pair_score(first[i].score, second[j].score), first[i].index * n + second[j].index};
      if (!by_insertion) {
        pairs[count++] = pair;
      } else if (count < k) {
        insert(pairs, count++, pair);
      } else if (pair.score < pairs[k - 1].score) {
        break;  // the rest of this row is no better
      } else if (Better<T>{}(pair, pairs[k - 1])) {
        insert(pairs, k - 1, pair);
      }
    }
  }
  if (!by_insertion) std::sort(pairs, pairs + count, Better<T>{});
}

/// Whether a pair outside the staircase has the score of the k-th best.
template <class T>
bool tie_goes_on(const TopKShape& shape, const Candidate<T>* first, const Candidate<T>* second, T kth_score) {
  bool equal = false;
  for (int64_t i = 0; i < shape.half_candidates(); ++i) {
    const int64_t j = shape.k / (i + 1);
    if (j < shape.num_sub_keys) equal |= pair_score(first[i].score, second[j].score) == kth_score;
  }
  return equal;
}

/// Replaces the pairs that have the k-th best score by the lowest slots with that score.
template <class T>
void resolve_tie(const TopKShape& shape, const T* first_scores, const T* second_scores, T best_second,
                 Candidate<T>* pairs) {
  const int64_t n = shape.num_sub_keys, k = shape.k;
  const T score = pairs[k - 1].score;
  int64_t count = 0;
  while (pairs[count].score > score) ++count;
  for (int64_t i = 0; i < n; ++i) {
    if (pair_score(first_scores[i], best_second) < score) continue;
    for (int64_t j = 0; j < n; ++j) {
      if (pair_score(first_scores[i], second_scores[j]) != score) continue;
      pairs[count++] = {score, i * n + j};
      if (count == k) return;
    }
  }
}

template <class T>
void forward(const TopKShape& shape, const T* query, const T* panels, T* scores, int64_t* slots,
             const TopKScratch<T>& scratch, int64_t first, int64_t last) {
  const int64_t n = shape.num_sub_keys, k = shape.k, dim = shape.half_dim, padded = shape.padded_keys();
  const int64_t query_stride = shape.heads * 2 * dim;
  const int64_t panel_stride = padded * dim;
  for (int64_t block = first; block < last; block += kTokensPerBlock) {
    const int64_t tokens = std::min(kTokensPerBlock, last - block);
    for (int64_t h = 0; h < shape.heads; ++h) {
      for (int64_t half = 0; half < 2; ++half) {
        score_block(query + block * query_stride + (h * 2 + half) * dim, query_stride, tokens,
                    panels + (h * 2 + half) * panel_stride, shape, scratch.half_scores + half * padded, 2 * padded);
      }
      for (int64_t row = 0; n < padded && row < 2 * tokens; ++row) {
        std::fill(scratch.half_scores + row * padded + n, scratch.half_scores + (row + 1) * padded, kLowest<T>);
      }
      for (int64_t t = 0; t < tokens; ++t) {
        const T* half_scores = scratch.half_scores + t * 2 * padded;
        Candidate<T>*best_first = scratch.halves, *best_second = scratch.halves + n, *pairs = scratch.pairs;
        select_half(half_scores, n, padded, shape.half_candidates(), best_first);
        select_half(half_scores + padded, n, padded, shape.half_candidates(), best_second);
        select_pairs(shape, best_first, best_second, pairs);
        if (tie_goes_on(shape, best_first, best_second, pairs[k - 1].score)) [[unlikely]] {
          resolve_tie(shape, half_scores, half_scores + padded, best_second[0].score, pairs);
        }
        const int64_t out = ((block + t) * shape.heads + h) * k;
        for (int64_t j = 0; j < k; ++j) {
          scores[out + j] = pairs[j].score;
          slots[out + j] = pairs[j].index;
        }
      }
    }
  }
}

template <class T>
MEMLAYERS_INLINE void add_scaled(T factor, const T* __restrict source, T* __restrict target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[i] += factor * source[i];
}

template <class T>
void query_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* sub_keys,
                    T* grad_query, int64_t first, int64_t last) {
  const int64_t n = shape.num_sub_keys, dim = shape.half_dim;
  for (int64_t r = first * shape.heads; r < last * shape.heads; ++r) {  // r = token * H + head
    const T* first_keys = sub_keys + (r % shape.heads) * 2 * n * dim;
    T* grad = grad_query + r * 2 * dim;
    for (int64_t c = 0; c < 2 * dim; ++c) grad[c] = 0;
    for (int64_t j = r * shape.k; j < (r + 1) * shape.k; ++j) {
      const int64_t i1 = slots[j] / n, i2 = slots[j] % n;
      add_scaled(grad_scores[j], first_keys + i1 * dim, grad, dim);
      add_scaled(grad_scores[j], first_keys + (n + i2) * dim, grad + dim, dim);
    }
  }
}

template <class T>
void key_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* query, T* grad_sub_keys,
                  int64_t tokens, int64_t head, int64_t half, int64_t first, int64_t last) {
  const int64_t n = shape.num_sub_keys, dim = shape.half_dim;
  T* grad = grad_sub_keys + (head * 2 + half) * n * dim + first;
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t r = t * shape.heads + head;
    const T* source = query + (r * 2 + half) * dim + first;
    for (int64_t j = r * shape.k; j < (r + 1) * shape.k; ++j) {
      const int64_t i = half == 0 ? slots[j] / n : slots[j] % n;
      add_scaled(grad_scores[j], source, grad + i * dim, last - first);
    }
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const TopKKernel kTopKKernel = {.float32 = {forward<float>, query_gradient<float>, key_gradient<float>},
                                .float64 = {forward<double>, query_gradient<double>, key_gradient<double>}};
}

}  // namespace memlayers::ops
