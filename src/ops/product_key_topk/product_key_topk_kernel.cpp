// A block of tokens is scored against both halves of one head's sub-keys and selected from while the scores are still
// in the cache.
//
// Scores: panel_products.h.
// Selection: the best of a few groups of each half give a bound that k pairs reach (pair_shapes.h). A sub-key that does
// not reach it even with the other half's best is in no pair that matters; the few that do are paired (pair_picker.h).
#include "ops/product_key_topk/product_key_topk_kernel.h"

#include <utility>

#include "ops/product_key_topk/pair_picker.h"
#include "ops/product_key_topk/panel_products.h"

namespace memlayers::ops {
namespace {

static_assert(kPad == kLanes);

/// Scores [tokens, padded_keys] of `tokens` query rows against all panels of one head and half. `packed` has room for a
/// copy of the rows.
template <class T>
void score_block(const TopKShape& shape, const T* query, int64_t query_stride, int64_t tokens, const T* panels,
                 T* packed, T* scores) {
  const int64_t padded = shape.padded_keys();
  const Lanes<T> lowest = broadcast(kLowest<T>);
  multiply_panels(query, query_stride, tokens, shape.half_dim, panels, shape.num_panels(), packed,
                  [&](int64_t t, int64_t key, const Lanes<T>& products) {
                    store(scores + t * padded + key, replace_nan(products, lowest));
                  });
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

/// One thread's working memory.
template <class T>
class Selector {
 public:
  Selector(const TopKShape& shape, const TopKScratchLayout& layout, const PairShapes& shapes, T* numbers,
           int32_t* indices)
      : shape_(shape), shapes_(shapes), picker_(shape, layout, shapes, numbers, indices) {
    const auto take = [](auto*& from, int64_t count) { return std::exchange(from, from + count); };
    packed_ = take(numbers, layout.tokens * shape.half_dim);
    for (int half = 0; half < 2; ++half) {
      scores_[half] = take(numbers, layout.tokens * shape.padded_keys());
      candidates_[half].list = {take(numbers, layout.list), take(indices, layout.list)};
    }
  }

  /// `tokens` query rows of one head; scores and slots at `out_stride` from token to token.
  void select(const T* query, int64_t query_stride, int64_t tokens, const T* panels, T* scores, int64_t* slots,
              int64_t out_stride) {
    for (int64_t half = 0; half < 2; ++half) {
      score_block(shape_, query + half * shape_.half_dim, query_stride, tokens,
                  panels + half * shape_.padded_keys() * shape_.half_dim, packed_, scores_[half]);
    }
    for (int64_t t = 0; t < tokens; ++t) {
      const T bound = gather_candidates(t);
      picker_.pick(candidates_[0], candidates_[1], bound, scores + t * out_stride, slots + t * out_stride);
    }
  }

 private:
  /// Fills candidates_ for one token; returns a score that k pairs reach.
  T gather_candidates(int64_t token) {
    const int64_t padded = shape_.padded_keys();
    const T* scores[2] = {scores_[0] + token * padded, scores_[1] + token * padded};
    T maxima[2][kGroups];
    for (int half = 0; half < 2; ++half) sorted_group_maxima(scores[half], padded, maxima[half]);
    const T bound = pair_bound(shapes_, maxima[0], maxima[1]);
    for (int half = 0; half < 2; ++half) {
      Candidates<T>& candidates = candidates_[half];
      candidates.count = bound > kLowest<T>
                             ? gather_reaching(scores[half], padded, maxima[1 - half][0], bound, candidates.list)
                             : gather_all(scores[half], candidates.list);
    }
    return bound;
  }

  int64_t gather_all(const T* scores, const ScoreList<T>& list) const {
    std::copy(scores, scores + shape_.num_sub_keys, list.scores);
    for (int64_t i = 0; i < shape_.num_sub_keys; ++i) list.numbers[i] = int32_t(i);
    return shape_.num_sub_keys;
  }

  const TopKShape& shape_;
  const PairShapes& shapes_;
  PairPicker<T> picker_;
  T* packed_;     // [tokens, half_dim]
  T* scores_[2];  // [tokens, padded_keys] of each half
  Candidates<T> candidates_[2];
};

template <class T>
void forward(const TopKShape& shape, const T* query, const T* panels, T* scores, int64_t* slots,
             const TopKScratchLayout& layout, const PairShapes& shapes, T* numbers, int32_t* indices,
             int64_t num_tokens, int64_t first, int64_t last) {
  Selector<T> selector(shape, layout, shapes, numbers, indices);
  const int64_t heads = shape.heads, dim = shape.half_dim, k = shape.k;
  for (int64_t task = first; task < last; ++task) {
    const int64_t begin = task / heads * layout.tokens, head = task % heads, row = begin * heads + head;
    selector.select(query + row * 2 * dim, heads * 2 * dim, std::min(layout.tokens, num_tokens - begin),
                    panels + head * 2 * shape.padded_keys() * dim, scores + row * k, slots + row * k, heads * k);
  }
}

/// A slot's two sub-keys. n is mostly a power of two, and a division costs as much as a short half-key.
class SlotHalves {
 public:
  explicit SlotHalves(int64_t num_sub_keys)
      : n_(num_sub_keys), shift_((n_ & (n_ - 1)) == 0 ? __builtin_ctzll(uint64_t(n_)) : -1) {}
  MEMLAYERS_INLINE int64_t first(int64_t slot) const { return shift_ >= 0 ? slot >> shift_ : slot / n_; }
  MEMLAYERS_INLINE int64_t second(int64_t slot) const { return slot - first(slot) * n_; }

 private:
  int64_t n_;
  int shift_;
};

template <class T>
MEMLAYERS_INLINE void add_scaled(T factor, const T* __restrict source, T* __restrict target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[i] += factor * source[i];
}

template <class T>
void query_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* sub_keys,
                    T* grad_query, int64_t first, int64_t last) {
  const int64_t n = shape.num_sub_keys, dim = shape.half_dim;
  const SlotHalves halves(n);
  for (int64_t r = first * shape.heads; r < last * shape.heads; ++r) {  // r = token * H + head
    const T* first_keys = sub_keys + (r % shape.heads) * 2 * n * dim;
    T* grad = grad_query + r * 2 * dim;
    for (int64_t c = 0; c < 2 * dim; ++c) grad[c] = 0;
    for (int64_t j = r * shape.k; j < (r + 1) * shape.k; ++j) {
      add_scaled(grad_scores[j], first_keys + halves.first(slots[j]) * dim, grad, dim);
      add_scaled(grad_scores[j], first_keys + (n + halves.second(slots[j])) * dim, grad + dim, dim);
    }
  }
}

template <class T>
void key_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* query, T* grad_sub_keys,
                  int64_t tokens, int64_t head, int64_t half, int64_t first, int64_t last) {
  const int64_t n = shape.num_sub_keys, dim = shape.half_dim;
  const SlotHalves halves(n);
  T* grad = grad_sub_keys + (head * 2 + half) * n * dim + first;
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t r = t * shape.heads + head;
    const T* source = query + (r * 2 + half) * dim + first;
    for (int64_t j = r * shape.k; j < (r + 1) * shape.k; ++j) {
      const int64_t i = half == 0 ? halves.first(slots[j]) : halves.second(slots[j]);
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
