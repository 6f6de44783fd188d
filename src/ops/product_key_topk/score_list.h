// Short lists of scores: gathered from many by a bound, and sorted. Only kernel bodies include this file.
//
// A short list is sorted by counting, for each score, how many come before it. No step branches on a comparison of
// scores, which would be as unpredictable as the scores.
#pragma once

#include <algorithm>
#include <limits>

#include "ops/product_key_topk/pair_shapes.h"
#include "ops/simd/lanes_search.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kMostRanked = 160;  // counting takes count^2 / 16 steps; longer lists are sorted
constexpr int kGroups = PairShapes::kListed;
static_assert(kGroups == 2 * kLanes && PairShapes::kShapes == kLanes);

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

/// Working memory for scores, each with a number of its own. Room for sixteen more than are used.
template <class T>
struct ScoreList {
  T* scores;
  int32_t* numbers;
};

/// Calls place(ranks, block, n) for each sixteen (the last may be fewer) of `count` scores: their ranks, higher first,
/// among equal ones the earlier.
template <class T, class Place>
MEMLAYERS_INLINE void rank_by_counting(const T* scores, int64_t count, const Place& place) {
  for (int64_t block = 0; block < count; block += kLanes) {
    const Lanes<T> here = load(scores + block);
    const int64_t end = std::min(block + kLanes, count);
    Counts<T> ranks;
    int64_t i = 0;
    for (; i < block; ++i) count_at_least(ranks, broadcast(scores[i]), here);
    for (; i < end; ++i) count_before(ranks, broadcast(scores[i]), here, int(i - block));
    for (; i < count; ++i) count_above(ranks, broadcast(scores[i]), here);
    place(ranks, block, end - block);
  }
}

/// `from` in falling order, equal scores in their old order.
template <class T>
void sort_list(const ScoreList<T>& from, int64_t count, const ScoreList<T>& to) {
  if (count <= kMostRanked) {
    rank_by_counting(from.scores, count, [&](const Counts<T>& ranks, int64_t block, int64_t size) {
      scatter(to.scores, ranks, from.scores + block, size);
      scatter(to.numbers, ranks, from.numbers + block, size);
    });
    return;
  }
  const T* scores = from.scores;
  for (int64_t i = 0; i < count; ++i) to.numbers[i] = int32_t(i);
  std::sort(to.numbers, to.numbers + count,
            [scores](int32_t a, int32_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
  for (int64_t i = 0; i < count; ++i) {
    to.scores[i] = scores[to.numbers[i]];
    to.numbers[i] = from.numbers[to.numbers[i]];
  }
}

/// The largest of each of 32 groups of `padded` scores (a multiple of 32), in falling order: scores of as many
/// different places, and good ones where good ones are spread.
template <class T>
MEMLAYERS_INLINE void sorted_group_maxima(const T* scores, int64_t padded, T* sorted) {
  Lanes<T> low = load(scores), high = load(scores + kLanes);
  for (int64_t block = kGroups; block < padded; block += kGroups) {
    low = larger(low, load(scores + block));
    high = larger(high, load(scores + block + kLanes));
  }
  T maxima[kGroups];
  store(maxima, low);
  store(maxima + kLanes, high);
  rank_by_counting(maxima, kGroups, [&](const Counts<T>& ranks, int64_t block, int64_t size) {
    scatter(sorted, ranks, maxima + block, size);
  });
}

/// The definition of a pair's score. A NaN (also of infinities that cancel) counts as minus infinity.
template <class T>
MEMLAYERS_INLINE T pair_score(T a, T b) {
  const T score = a + b;
  return score == score ? score : kLowest<T>;
}
template <class T>
MEMLAYERS_INLINE Lanes<T> pair_score(const Lanes<T>& a, const Lanes<T>& b) {
  return replace_nan(a + b, broadcast(kLowest<T>));
}

/// A score that at least k pairs reach. `first` and `second` are scores of different places of each half in falling
/// order, kGroups of them (the last may be minus infinity).
template <class T>
MEMLAYERS_INLINE T pair_bound(const PairShapes& shapes, const T* first, const T* second) {
  if (shapes.num_corners == 0) return kLowest<T>;
  Lanes<T> worst = pair_score(pick(first, shapes.first[0]), pick(second, shapes.second[0]));
  for (int c = 1; c < shapes.num_corners; ++c) {
    worst = smaller(worst, pair_score(pick(first, shapes.first[c]), pick(second, shapes.second[c])));
  }
  return largest(worst);
}

/// Those of `padded` scores (a multiple of sixteen) that reach `bound` (> minus infinity) together with `partner`, and
/// their places; returns how many.
template <class T>
MEMLAYERS_INLINE int64_t gather_reaching(const T* scores, int64_t padded, T partner, T bound,
                                         const ScoreList<T>& list) {
  int64_t count = 0;
  for (int64_t block = 0; block < padded; block += kLanes) {
    const Lanes<T> here = load(scores + block);
    const uint32_t bits = at_least_bits(here + broadcast(partner), broadcast(bound));
    count += append_marked(here, int32_t(block), bits, list.scores + count, list.numbers + count);
  }
  return count;
}

}  // namespace
}  // namespace memlayers::ops
