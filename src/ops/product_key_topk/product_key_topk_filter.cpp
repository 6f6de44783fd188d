// A chunk of one half's sub-keys is narrowed to bfloat16 and multiplied with all tokens' queries while it is in the
// cache. Of each token's scores in the chunk, those that may be among the half's k best so far are kept. When both
// halves are through, bounds on pairs (pair_shapes.h) leave out most of these, and the rest is scored again.
//
// What is left out differs from k better ones by more than the errors (narrow_rows.h), with the largest norms among the
// half's sub-keys. A token whose bound is not finite, or that keeps too many, is scored against all sub-keys.
#include "ops/product_key_topk/product_key_topk_filter.h"

#include <utility>

#include "ops/product_key_topk/narrow_rows.h"
#include "ops/product_key_topk/pair_picker.h"
#include "ops/product_key_topk/row_products.h"
#include "ops/product_key_topk/tile_products.h"

namespace memlayers::ops {
namespace {

using Layout = TopKFilterLayout;

/// Keeps those of `count` scores that reach `bound` together with `partner`, in their order; returns how many.
int64_t keep_reaching(const ScoreList<float>& list, int64_t count, float partner, float bound) {
  int64_t kept = 0;
  for (int64_t block = 0; block < count; block += kLanes) {
    const Lanes<float> here = load(list.scores + block);
    const __m512i numbers = _mm512_loadu_si512(list.numbers + block);
    uint32_t bits = at_least_bits(here + broadcast(partner), broadcast(bound));
    if (count - block < kLanes) bits &= (1u << (count - block)) - 1;
    _mm512_storeu_ps(list.scores + kept, _mm512_maskz_compress_ps(__mmask16(bits), here.part[0]));
    _mm512_storeu_si512(list.numbers + kept, _mm512_maskz_compress_epi32(__mmask16(bits), numbers));
    kept += __builtin_popcount(bits);
  }
  return kept;
}

constexpr double kPairRounding = 0x1p-20;  // of sums of two scores, in units of the scores' norms
constexpr double kHalfRounding = 0x1p-14;  // the same, in units of one half's, where that suffices
constexpr double kLargestRatio = 0x1p5;    // of the halves' norms, where it does

class Filter {
 public:
  Filter(const TopKShape& shape, const Layout& layout, const PairShapes& shapes, float* numbers, int32_t* indices,
         uint16_t* narrow)
      : shape_(shape), layout_(layout), shapes_(shapes), picker_(shape, layout.picker, shapes, numbers, indices) {
    const auto take = [](auto*& from, int64_t count) { return std::exchange(from, from + count); };
    queries_ = take(narrow, layout.tokens * layout.query_parts * layout.padded_dim);
    panels_ = take(narrow, Layout::kChunk * layout.padded_dim);
    rows_ = take(narrow, kLanes * layout.padded_dim);
    tile_scores_ = take(numbers, Layout::kTokensPerTile * Layout::kChunk);
    for (int half = 0; half < 2; ++half) {
      maxima_[half] = take(numbers, layout.tokens * kGroups);
      kept_[half] = {take(numbers, layout.tokens * kRoom), take(indices, layout.tokens * kRoom)};
      all_[half] = {{take(numbers, layout.picker.list), take(indices, layout.picker.list)}, shape.num_sub_keys};
      for (int64_t i = 0; i < shape.num_sub_keys; ++i) all_[half].list.numbers[i] = int32_t(i);
      sorted_[half] = {take(numbers, layout.picker.list), take(indices, layout.picker.list)};
    }
  }

  /// Approximates `tokens` queries of one half at `stride` against its sub-keys, and keeps what may matter.
  void keep(int half, const float* query, int64_t stride, int64_t tokens, const float* keys) {
    const int64_t dim = shape_.half_dim, parts = layout_.query_parts;
    keys_[half] = {};
    std::fill(maxima_[half], maxima_[half] + layout_.tokens * kGroups, kLowest<float>);
    for (int64_t t = 0; t < layout_.tokens; ++t) {
      // Rows of other heads and the other half lie between.
      for (int64_t d = 0; d < dim && t + kRowsAhead < tokens; d += kLanes) {
        _mm_prefetch(query + (t + kRowsAhead) * stride + d, _MM_HINT_T0);
      }
      const Norms squares = narrow_row(query + t * stride, t < tokens ? dim : 0, layout_.padded_dim, parts,
                                       queries_ + t / 16 * 16 * parts * layout_.padded_dim + t % 16 * 32);
      query_[half][t] = norms_of(squares, dim);
      num_kept_[half][t] = 0;
    }
    for (int64_t chunk = 0; chunk < shape_.num_sub_keys; chunk += Layout::kChunk) {
      const int64_t count = std::min(Layout::kChunk, shape_.num_sub_keys - chunk);
      keys_[half].include(norms_of(narrow_chunk(keys + chunk * dim, count), dim));
      for (int64_t t = 0; t < tokens; t += Layout::kTokensPerTile) {
        for (int64_t p = 0; p < count; p += 2 * kLanes) {
          multiply_tiles(queries_ + t * parts * layout_.padded_dim, parts, panels_ + p * layout_.padded_dim,
                         layout_.padded_dim, tile_scores_ + p, Layout::kChunk);
        }
        for (int64_t i = 0; i < Layout::kTokensPerTile && t + i < tokens; ++i) {
          keep_of_chunk(half, t + i, tile_scores_ + i * Layout::kChunk, chunk, count);
        }
      }
    }
  }

  /// The result of one token, when both halves are through. query [2, K/2]; sub_keys [2, n, K/2]; scores and slots [k].
  void pick(int64_t token, const float* query, const float* sub_keys, float* scores, int64_t* slots) {
    Candidates<float> few[2];
    const bool filtered = bounded(token);
    if (filtered) {
      for (int half = 0; half < 2; ++half) few[half] = {kept_list(half, token), num_kept_[half][token]};
      const Errors error[2] = {errors(0, token), errors(1, token)};
      const double slack = 2 * (error[0].score + error[1].score) + kPairRounding * (error[0].norm + error[1].norm);
      leave_out_by_maxima(few, token, slack);
      leave_out(few, slack);
    }
    const Candidates<float>* candidates = filtered ? few : all_;
    for (int half = 0; half < 2; ++half) {
      const ScoreList<float>& list = candidates[half].list;
      score_in_order(query + half * shape_.half_dim, sub_keys + half * shape_.num_sub_keys * shape_.half_dim,
                     shape_.half_dim, list.numbers, candidates[half].count, list.scores);
    }
    picker_.pick(candidates[0], candidates[1], kLowest<float>, scores, slots);
  }

 private:
  static constexpr int64_t kRowsAhead = 4;
  static constexpr int64_t kRoom = Layout::kListed + Layout::kChunk + kPad;

  /// Sub-keys [count, K/2] to panels of sixteen; returns their largest sums of squares.
  Norms narrow_chunk(const float* keys, int64_t count) {
    const int64_t dim = shape_.half_dim, padded_dim = layout_.padded_dim;
    Norms squares;
    for (int64_t key = 0; key < count; key += kLanes) {
      for (int64_t i = 0; i < kLanes; ++i) {
        squares.include(narrow_row(keys + (key + i) * dim, dim, padded_dim, 1, rows_ + i * 32));
      }
      pack_tiles(rows_, padded_dim, panels_ + key * padded_dim);
    }
    return squares;
  }

  Errors errors(int half, int64_t token) const { return {query_[half][token], keys_[half], shape_.half_dim}; }

  void keep_of_chunk(int half, int64_t token, const float* scores, int64_t first, int64_t count) {
    int64_t& kept = num_kept_[half][token];
    const Errors error = errors(half, token);
    if (kept > Layout::kListed || !error.usable()) {
      kept = kRoom;
      return;
    }
    float* maxima = maxima_[half] + token * kGroups;
    Lanes<float> low = load(maxima), high = load(maxima + kLanes);
    for (int64_t block = 0; block < count; block += kGroups) {
      low = larger(low, load(scores + block));
      high = larger(high, load(scores + block + kLanes));
    }
    store(maxima, low);
    store(maxima + kLanes, high);
    // All 32 maxima, so k sub-keys, reach the smallest of them. Keys that two errors and a sum's rounding separate from
    // it are in no pair that matters.
    const Lanes<float> all = smaller(low, high);
    const float least = _mm512_reduce_min_ps(all.part[0]);
    const float bound = float(least - 2 * error.score - kHalfRounding * error.norm);
    const ScoreList<float> list = kept_list(half, token);
    for (int64_t block = 0; block < count; block += kLanes) {
      const Lanes<float> here = load(scores + block);
      kept += append_marked(here, int32_t(first + block), at_least_bits(here, broadcast(bound)), list.scores + kept,
                            list.numbers + kept);
    }
    if (kept > Layout::kListed / 2) kept = keep_reaching(list, kept, 0, bound);  // the bound has risen since
  }

  ScoreList<float> kept_list(int half, int64_t token) const {
    return {kept_[half].scores + token * kRoom, kept_[half].numbers + token * kRoom};
  }

  /// Whether the bounds hold for a token; else all its sub-keys have to be scored.
  bool bounded(int64_t token) const {
    const Errors error[2] = {errors(0, token), errors(1, token)};
    for (int half = 0; half < 2; ++half) {
      if (num_kept_[half][token] > Layout::kListed || !error[half].usable()) return false;
      if (error[1 - half].norm > kLargestRatio * error[half].norm) return false;
    }
    return true;
  }

  /// Leaves out candidates that are in no pair within `slack` of k pairs of scores `first` and `second`, which fall.
  void leave_out(Candidates<float>* few, const float* first, const float* second, double slack) const {
    const auto bound = float(pair_bound(shapes_, first, second) - slack);
    for (int half = 0; half < 2; ++half) {
      few[half].count = keep_reaching(few[half].list, few[half].count, half == 0 ? second[0] : first[0], bound);
    }
  }

  void leave_out_by_maxima(Candidates<float>* few, int64_t token, double slack) const {
    float maxima[2][kGroups];
    for (int half = 0; half < 2; ++half) {
      sorted_group_maxima(maxima_[half] + token * kGroups, kGroups, maxima[half]);
    }
    leave_out(few, maxima[0], maxima[1], slack);
  }

  void leave_out(Candidates<float>* few, double slack) const {
    for (int half = 0; half < 2; ++half) picker_.sort_candidates(few[half], sorted_[half]);
    leave_out(few, sorted_[0].scores, sorted_[1].scores, slack);
  }

  const TopKShape& shape_;
  const Layout& layout_;
  const PairShapes& shapes_;
  PairPicker<float> picker_;
  uint16_t *queries_, *panels_, *rows_;  // [tokens, query_parts, padded_dim], [kChunk, padded_dim], [16, padded_dim]
  float* tile_scores_;                   // [kTokensPerTile, kChunk]
  float* maxima_[2];                     // [tokens, kGroups]
  ScoreList<float> kept_[2];             // [tokens, kRoom], ascending numbers
  int64_t num_kept_[2][Layout::kMostTokens];  // more than kListed: too many
  Norms query_[2][Layout::kMostTokens], keys_[2];
  Candidates<float> all_[2];  // all sub-keys
  ScoreList<float> sorted_[2];
};

void forward(const TopKShape& shape, const Layout& layout, const PairShapes& shapes, const float* query,
             const float* sub_keys, float* scores, int64_t* slots, float* numbers, int32_t* indices, uint16_t* narrow,
             int64_t head, int64_t first, int64_t last) {
  const int64_t dim = shape.half_dim, stride = shape.heads * 2 * dim, n = shape.num_sub_keys;
  const float* queries = query + (first * shape.heads + head) * 2 * dim;
  const float* keys = sub_keys + head * 2 * n * dim;
  Filter filter(shape, layout, shapes, numbers, indices, narrow);
  {
    const TileConfiguration tiles;
    for (int half = 0; half < 2; ++half) {
      filter.keep(half, queries + half * dim, stride, last - first, keys + half * n * dim);
    }
  }
  for (int64_t t = first; t < last; ++t) {
    const int64_t row = t * shape.heads + head;
    filter.pick(t - first, query + row * 2 * dim, keys, scores + row * shape.k, slots + row * shape.k);
  }
}

}  // namespace

namespace amx {
const TopKFilter kTopKFilter = {forward};
}

}  // namespace memlayers::ops
