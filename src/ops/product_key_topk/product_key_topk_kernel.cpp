// A block of tokens is scored against one half of one head's sub-keys and selected from while the scores are still in the
// cache.
//
// Scores: each dot product is summed in the order of its dimensions, lanes are sub-keys, so a score does not depend on
// which other tokens are in the batch. Product and sum are rounded once where the instruction set has that.
// Half selection and the selection from the staircase i * j <= k: select_best.h.
//
// Ties. The order is defined on rounded sums, and a pair outside the staircase can round to the same sum as the k-th
// best, with a lower slot. (It cannot be better: it has k pairs at least as good as itself.) Among the pairs outside,
// the best of each row of the staircase is the one next to it; only if one of these k + 1 corners equals the
// k-th best score, or pairs inside tie for the last places, are the lowest slots with that score searched among all n * n.
#include "ops/product_key_topk/product_key_topk_kernel.h"

#include <utility>

#include "ops/product_key_topk/select_best.h"

namespace memlayers::ops {
namespace {

constexpr int kLanesPerPanel = int(kKeysPerPanel) / kLanes;
constexpr int64_t kRowsAhead = 32;  // of a panel
static_assert(kKeysPerPanel == 2 * kLanes && kPad == kLanes);

/// The definition of a pair's score. A NaN (also of infinities that cancel) counts as minus infinity.
template <class T>
MEMLAYERS_INLINE T pair_score(T a, T b) {
  const T score = a + b;
  return score == score ? score : kLowest<T>;
}

/// Scores of `tile` tokens, packed [half_dim, tile], against one panel.
template <int tile, class T>
MEMLAYERS_INLINE void score_tile(const T* packed, const T* panel, int64_t half_dim, T* scores, int64_t score_stride) {
  Lanes<T> total[tile][kLanesPerPanel];
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) total[t][l] = broadcast(T{0});
  }
  for (int64_t d = 0; d < half_dim; ++d) {
    const T* row = panel + d * kKeysPerPanel;
    // Runs on into the next panel, which the first tile would otherwise wait for.
    for (int64_t b = 0; b < kKeysPerPanel * int64_t(sizeof(T)); b += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(row + kRowsAhead * kKeysPerPanel) + b);
    }
    const Lanes<T> low = load(row), high = load(row + kLanes);
    for (int t = 0; t < tile; ++t) {
      const Lanes<T> factor = broadcast(packed[d * tile + t]);
      total[t][0] = multiply_add(factor, low, total[t][0]);
      total[t][1] = multiply_add(factor, high, total[t][1]);
    }
  }
  const Lanes<T> lowest = broadcast(kLowest<T>);
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) {
      store(scores + t * score_stride + l * kLanes, replace_nan(total[t][l], lowest));
    }
  }
}

/// As many tokens as their sums fill the registers: 32 with AVX-512, otherwise 16.
template <class T>
constexpr int kTile = kVectorBytes == 64   ? 48 / int(sizeof(T))
                      : kVectorBytes == 32 ? 8 / int(sizeof(T))
                                           : 1;
template <class T>
constexpr int kSmallTile = kTile<T> > 4 ? 4 : 1;

/// Query rows [tokens, half_dim] at `stride` -> [tokens / tile, half_dim, tile].
template <class T>
void pack_tile(const T* query, int64_t stride, int tile, int64_t half_dim, T* packed) {
  for (int64_t d = 0; d < half_dim; ++d) {
    for (int t = 0; t < tile; ++t) packed[d * tile + t] = query[t * stride + d];
  }
}

/// Scores [tokens, padded_keys] of `tokens` query rows against all panels of one head and half. `packed` has room for a
/// copy of the rows.
template <class T>
void score_block(const TopKShape& shape, const T* query, int64_t query_stride, int64_t tokens, const T* panels,
                 T* packed, T* scores) {
  const int64_t dim = shape.half_dim, padded = shape.padded_keys();
  const auto tile_at = [tokens](int64_t t) {
    return tokens - t >= kTile<T> ? kTile<T> : tokens - t >= kSmallTile<T> ? kSmallTile<T> : 1;
  };
  for (int64_t t = 0; t < tokens; t += tile_at(t)) {
    pack_tile(query + t * query_stride, query_stride, tile_at(t), dim, packed + t * dim);
  }
  for (int64_t p = 0; p < shape.num_panels(); ++p) {
    const T* panel = panels + p * dim * kKeysPerPanel;
    T* out = scores + p * kKeysPerPanel;
    int64_t t = 0;
    for (; t + kTile<T> <= tokens; t += kTile<T>) {
      score_tile<kTile<T>>(packed + t * dim, panel, dim, out + t * padded, padded);
    }
    for (; t + kSmallTile<T> <= tokens; t += kSmallTile<T>) {
      score_tile<kSmallTile<T>>(packed + t * dim, panel, dim, out + t * padded, padded);
    }
    for (; t < tokens; ++t) score_tile<1>(packed + t * dim, panel, dim, out + t * padded, padded);
  }
  for (int64_t t = 0; t < tokens; ++t) {
    std::fill(scores + t * padded + shape.num_sub_keys, scores + (t + 1) * padded, kLowest<T>);
  }
}

/// Panels [first, last) of all H * 2 * num_panels: sub_keys [H, 2, n, K/2] -> [H, 2, num_panels, K/2, kKeysPerPanel].
template <class T>
void pack_panels(const TopKShape& shape, const T* sub_keys, T* panels, int64_t first, int64_t last) {
  const int64_t dim = shape.half_dim, n = shape.num_sub_keys;
  for (int64_t p = first; p < last; ++p) {
    const int64_t half = p / shape.num_panels(), begin = p % shape.num_panels() * kKeysPerPanel;
    const int64_t count = std::min(kKeysPerPanel, n - begin);
    const T* source = sub_keys + (half * n + begin) * dim;
    T* panel = panels + p * dim * kKeysPerPanel;
    if (count < kKeysPerPanel) std::fill(panel, panel + dim * kKeysPerPanel, T{0});
    for (int64_t d = 0; d < dim; ++d) {
      for (int64_t i = 0; i < count; ++i) panel[d * kKeysPerPanel + i] = source[i * dim + d];
    }
  }
}

/// The best of one half of one token, sorted.
template <class T>
struct HalfBest {
  const T* scores;
  const int32_t* sub_keys;
};

/// One thread's working memory, and what is known about the staircase.
template <class T>
class Selector {
 public:
  Selector(const TopKShape& shape, const TopKScratchLayout& layout, T* numbers, int32_t* indices)
      : shape_(shape), layout_(layout) {
    const auto take = [](auto*& from, int64_t count) { return std::exchange(from, from + count); };
    packed_ = take(numbers, layout.tokens * shape.half_dim);
    scores_ = take(numbers, layout.tokens * shape.padded_keys());
    best_ = take(numbers, layout.tokens * 2 * layout.list);
    pairs_ = take(numbers, layout.pairs);
    all_scores_ = take(numbers, 2 * shape.padded_keys());
    best_sub_keys_ = take(indices, layout.tokens * 2 * layout.list);
    first_rank_ = take(indices, layout.pairs);
    second_rank_ = take(indices, layout.pairs);
    chosen_ = take(indices, shape.k);
    candidates_ = {numbers, indices};
    for (int64_t i = 0; i < rows(); ++i) {
      for (int64_t j = 0; j < row_length(i); ++j, ++num_pairs_) {
        first_rank_[num_pairs_] = int32_t(i);
        second_rank_[num_pairs_] = int32_t(j);
      }
    }
  }

  /// `tokens` query rows of one head; scores and slots at `out_stride` from token to token.
  void select(const T* query, int64_t query_stride, int64_t tokens, const T* panels, T* scores, int64_t* slots,
              int64_t out_stride) {
    const int64_t panel_stride = shape_.padded_keys() * shape_.half_dim;
    for (int64_t half = 0; half < 2; ++half) {
      score_block(shape_, query + half * shape_.half_dim, query_stride, tokens, panels + half * panel_stride, packed_,
                  scores_);
      for (int64_t t = 0; t < tokens; ++t) {
        const int64_t place = (t * 2 + half) * layout_.list;
        select_best(scores_ + t * shape_.padded_keys(), shape_.num_sub_keys, shape_.padded_keys(),
                    shape_.half_candidates(), candidates_, best_ + place, best_sub_keys_ + place);
      }
    }
    for (int64_t t = 0; t < tokens; ++t) {
      select_pairs(half_best(t, 0), half_best(t, 1), query + t * query_stride, panels, scores + t * out_stride,
                   slots + t * out_stride);
    }
  }

 private:
  int64_t rows() const { return std::min(shape_.k, shape_.num_sub_keys); }
  /// Pairs of the staircase with rank i (from 0) in the first half.
  int64_t row_length(int64_t i) const { return std::min(shape_.num_sub_keys, shape_.k / (i + 1)); }

  HalfBest<T> half_best(int64_t token, int64_t half) const {
    const int64_t place = (token * 2 + half) * layout_.list;
    return {best_ + place, best_sub_keys_ + place};
  }

  void score_pairs(const HalfBest<T>& first, const HalfBest<T>& second) {
    T* out = pairs_;
    for (int64_t i = 0; i < rows(); ++i) {
      const Lanes<T> left = broadcast(first.scores[i]);
      const int64_t length = row_length(i);
      for (int64_t j = 0; j < length; j += kLanes) {
        store(out + j, replace_nan(left + load(second.scores + j), broadcast(kLowest<T>)));
      }
      out += length;
    }
    store(out, broadcast(kLowest<T>));  // padding of the last sixteen
  }

  void select_pairs(const HalfBest<T>& first, const HalfBest<T>& second, const T* query, const T* panels, T* scores,
                    int64_t* slots) {
    const int64_t k = shape_.k;
    score_pairs(first, second);
    select_best(pairs_, num_pairs_, (num_pairs_ + kLanes - 1) / kLanes * kLanes, k, candidates_, scores, chosen_);
    for (int64_t j = 0; j < k; ++j) {
      slots[j] =
          first.sub_keys[first_rank_[chosen_[j]]] * shape_.num_sub_keys + second.sub_keys[second_rank_[chosen_[j]]];
    }
    order_equal_scores(scores, slots);
    if (tie_goes_on(first, second, scores[k - 1])) [[unlikely]]
      resolve_tie(query, panels, scores, slots);
  }

  /// Among equal scores the lower slot comes first; select_best went by the place in the staircase.
  void order_equal_scores(const T* scores, int64_t* slots) const {
    for (int64_t j = 1; j < shape_.k; ++j) {
      for (int64_t i = j; i > 0 && scores[i] == scores[i - 1] && slots[i] < slots[i - 1]; --i) {
        std::swap(slots[i], slots[i - 1]);
      }
    }
  }

  /// Whether more pairs than were taken have the score of the k-th best, inside the staircase or beside it.
  bool tie_goes_on(const HalfBest<T>& first, const HalfBest<T>& second, T kth_score) const {
    int64_t reach = 0;
    for (int64_t block = 0; block < num_pairs_; block += kLanes) {
      uint32_t bits = at_least_bits(pairs_ + block, kth_score);
      if (num_pairs_ - block < kLanes) bits &= (1u << (num_pairs_ - block)) - 1;
      reach += __builtin_popcount(bits);
    }
    bool goes_on = reach > shape_.k;
    for (int64_t i = 0; i < shape_.half_candidates(); ++i) {
      const int64_t j = i < rows() ? row_length(i) : 0;
      if (j < shape_.num_sub_keys) goes_on |= pair_score(first.scores[i], second.scores[j]) == kth_score;
    }
    return goes_on;
  }

  /// Replaces the pairs that have the k-th best score by the lowest slots with that score.
  void resolve_tie(const T* query, const T* panels, const T* scores, int64_t* slots) {
    const int64_t n = shape_.num_sub_keys, k = shape_.k, padded = shape_.padded_keys();
    for (int64_t half = 0; half < 2; ++half) {
      score_block(shape_, query + half * shape_.half_dim, 0, 1, panels + half * padded * shape_.half_dim, packed_,
                  all_scores_ + half * padded);
    }
    const T *first = all_scores_, *second = all_scores_ + padded, score = scores[k - 1];
    const T best_second = *std::max_element(second, second + n);
    int64_t count = 0;
    while (scores[count] > score) ++count;
    for (int64_t i = 0; i < n; ++i) {
      if (pair_score(first[i], best_second) < score) continue;
      for (int64_t j = 0; j < n; ++j) {
        if (pair_score(first[i], second[j]) != score) continue;
        slots[count++] = i * n + j;
        if (count == k) return;
      }
    }
  }

  const TopKShape& shape_;
  const TopKScratchLayout& layout_;
  T *packed_, *scores_;                 // [tokens, half_dim], [tokens, padded_keys]
  T* best_;                             // [tokens, 2, list]
  int32_t* best_sub_keys_;              // [tokens, 2, list]
  T *pairs_, *all_scores_;              // staircase; [2, padded_keys] of one token
  int32_t *first_rank_, *second_rank_;  // of each pair of the staircase
  int32_t* chosen_;                     // [k] places in the staircase
  CandidateList<T> candidates_;
  int64_t num_pairs_ = 0;
};

template <class T>
void forward(const TopKShape& shape, const T* query, const T* panels, T* scores, int64_t* slots,
             const TopKScratchLayout& layout, T* numbers, int32_t* indices, int64_t first, int64_t last) {
  Selector<T> selector(shape, layout, numbers, indices);
  const int64_t heads = shape.heads, dim = shape.half_dim, k = shape.k;
  for (int64_t block = first; block < last; block += layout.tokens) {
    const int64_t tokens = std::min(layout.tokens, last - block);
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t row = block * heads + h;
      selector.select(query + row * 2 * dim, heads * 2 * dim, tokens, panels + h * 2 * shape.padded_keys() * dim,
                      scores + row * k, slots + row * k, heads * k);
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
const TopKKernel kTopKKernel = {
    .float32 = {pack_panels<float>, forward<float>, query_gradient<float>, key_gradient<float>},
    .float64 = {pack_panels<double>, forward<double>, query_gradient<double>, key_gradient<double>}};
}

}  // namespace memlayers::ops
