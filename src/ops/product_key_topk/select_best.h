// The best few of a list of scores, sorted. Only kernel bodies include this file.
//
// A bound that the wanted best reach and almost all others do not comes from the largest of each of 16, 32 or 64 groups;
// the few that reach it are ranked by counting, for each, how many are better. No step branches on a comparison of
// scores, which would be as unpredictable as the scores.
#pragma once

#include <algorithm>
#include <limits>

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kMostRanked = 160;  // counting takes count^2 / 16 steps; longer lists are sorted

template <class T>
constexpr T kLowest = -std::numeric_limits<T>::infinity();

/// Working memory: room for all scores of the list and sixteen more.
template <class T>
struct CandidateList {
  T* scores;
  int32_t* positions;
};

/// A score that at least `wanted` of the scores reach: of the largest of each of 16 * parts groups, the wanted-th.
template <int parts, class T>
T selection_bound(const T* scores, int64_t padded, int64_t wanted) {
  Lanes<T> largest[parts];
  for (int p = 0; p < parts; ++p) largest[p] = broadcast(kLowest<T>);
  for (int64_t block = 0; block < padded; block += parts * kLanes) {
    for (int p = 0; p < parts; ++p) {
      if (block + p * kLanes < padded) largest[p] = larger(largest[p], load(scores + block + p * kLanes));
    }
  }
  T group[parts * kLanes];
  for (int p = 0; p < parts; ++p) store(group + p * kLanes, largest[p]);
  T bound = kLowest<T>;
  for (int i = 0; i < parts * kLanes; ++i) {
    int reached_by = 0;
    for (int p = 0; p < parts; ++p) reached_by += __builtin_popcount(at_least_bits(group + p * kLanes, group[i]));
    bound = std::max(bound, reached_by >= wanted ? group[i] : kLowest<T>);
  }
  return bound;
}

template <class T>
T selection_bound(const T* scores, int64_t padded, int64_t wanted) {
  const int64_t groups = wanted + wanted / 4;  // a few more than wanted, so that the bound is no stray low group
  if (groups <= kLanes) return selection_bound<1>(scores, padded, wanted);
  if (groups <= 2 * kLanes) return selection_bound<2>(scores, padded, wanted);
  if (groups <= 4 * kLanes) return selection_bound<4>(scores, padded, wanted);
  return kLowest<T>;
}

/// Puts each of `count` candidates at its rank; the candidates' positions ascend.
template <class T>
void place_by_counting(const CandidateList<T>& list, int64_t count, int64_t wanted, T* best, int32_t* positions) {
  for (int64_t i = count; i % kLanes != 0; ++i) list.scores[i] = kLowest<T>;
  for (int64_t i = 0; i < count; ++i) {
    const T score = list.scores[i];
    int rank = 0;
    for (int64_t block = 0; block < count; block += kLanes) {
      const uint32_t equal = equal_bits(list.scores + block, score);
      const uint32_t better = at_least_bits(list.scores + block, score) & ~equal;
      const int64_t before = std::clamp<int64_t>(i - block, 0, kLanes);
      rank += __builtin_popcount(better | (equal & ((1u << before) - 1)));
    }
    if (rank < wanted) {
      best[rank] = score;
      positions[rank] = list.positions[i];
    }
  }
}

template <class T>
void place_by_sorting(const CandidateList<T>& list, int64_t count, int64_t wanted, const T* scores, T* best,
                      int32_t* positions) {
  std::sort(list.positions, list.positions + count,
            [scores](int32_t a, int32_t b) { return scores[a] > scores[b] || (scores[a] == scores[b] && a < b); });
  for (int64_t i = 0; i < wanted; ++i) {
    positions[i] = list.positions[i];
    best[i] = scores[positions[i]];
  }
}

/// The `wanted` (<= count) best of `count` scores and their positions, higher score first, among equal ones the lower
/// position. From `count` to `padded` (a multiple of sixteen) the scores are minus infinity; none is NaN.
template <class T>
void select_best(const T* scores, int64_t count, int64_t padded, int64_t wanted, const CandidateList<T>& list, T* best,
                 int32_t* positions) {
  const T bound = selection_bound(scores, padded, wanted);
  int64_t candidates = 0;
  for (int64_t block = 0; block < count; block += kLanes) {
    uint32_t bits = at_least_bits(scores + block, bound);
    if (count - block < kLanes) bits &= (1u << (count - block)) - 1;
    candidates +=
        append_marked(scores + block, int32_t(block), bits, list.scores + candidates, list.positions + candidates);
  }
  if (candidates <= kMostRanked) {
    place_by_counting(list, candidates, wanted, best, positions);
  } else {
    place_by_sorting(list, candidates, wanted, scores, best, positions);
  }
}

}  // namespace
}  // namespace memlayers::ops
