// The k best pairs of two lists of candidates, one a half. Only kernel bodies include this file.
//
// Both lists are sorted, and the pairs of ranks in the staircase i * j <= k that reach a bound are sorted in turn.
//
// Ties. The order is defined on rounded sums, and a pair outside the staircase can round to the same sum as the k-th
// best, with a lower slot. (It cannot be better: it has k pairs at least as good as itself.) Among the pairs outside,
// the best of each row of the staircase is the one next to it; only if one of these corners equals the k-th best score,
// or pairs inside tie for the last places, are the lowest slots with that score searched among all candidates.
#pragma once

#include <utility>

#include "ops/product_key_topk/product_key_topk_kernel.h"
#include "ops/product_key_topk/score_list.h"

namespace memlayers::ops {
namespace {

/// Sub-keys of one half in ascending order with their scores: at least all that are part of a pair with the k-th best
/// score or a better one.
template <class T>
struct Candidates {
  ScoreList<T> list;
  int64_t count = 0;
};

template <class T>
class PairPicker {
 public:
  PairPicker(const TopKShape& shape, const TopKScratchLayout& layout, const PairShapes& shapes, T*& numbers,
             int32_t*& indices)
      : shape_(shape), shapes_(shapes) {
    const auto take = [&](int64_t count) {
      return ScoreList<T>{std::exchange(numbers, numbers + count), std::exchange(indices, indices + count)};
    };
    first_ = take(layout.list);
    second_ = take(layout.list);
    pairs_ = take(layout.pairs);
    sorted_ = take(layout.pairs);
    first_rank_ = std::exchange(indices, indices + layout.pairs);
    second_rank_ = std::exchange(indices, indices + layout.pairs);
    int64_t pair = 0;
    for (int64_t i = 0; i < rows(); ++i) {
      for (int64_t j = 0; j < columns(i); ++j, ++pair) {
        first_rank_[pair] = int32_t(i);
        second_rank_[pair] = int32_t(j);
      }
    }
  }

  /// At least k pairs reach `bound`. scores and slots [k].
  void pick(const Candidates<T>& first, const Candidates<T>& second, T bound, T* scores, int64_t* slots) {
    const int64_t k = shape_.k;
    sort_candidates(first, first_);
    sort_candidates(second, second_);
    bound = std::max(bound, pair_bound(shapes_, first_.scores, second_.scores));
    T best_corner = kLowest<T>;
    const int64_t reaching = gather_pairs(first.count, second.count, bound, best_corner);
    sort_list(pairs_, reaching, sorted_);
    for (int64_t j = 0; j < k; ++j) {
      const int32_t pair = sorted_.numbers[j];
      scores[j] = sorted_.scores[j];
      slots[j] = first_.numbers[first_rank_[pair]] * shape_.num_sub_keys + second_.numbers[second_rank_[pair]];
    }
    order_equal_scores(scores, slots);
    const bool tie_inside = reaching > k && sorted_.scores[k] == scores[k - 1];
    if (tie_inside || best_corner == scores[k - 1]) [[unlikely]]
      resolve_tie(first, second, scores, slots);
  }

  /// In falling order, with minus infinity behind, also where a bound on pairs looks beyond the end.
  static void sort_candidates(const Candidates<T>& candidates, const ScoreList<T>& sorted) {
    sort_list(candidates.list, candidates.count, sorted);
    for (int64_t i = candidates.count; i < candidates.count + kLanes || i < kGroups; i += kLanes) {
      store(sorted.scores + i, broadcast(kLowest<T>));
    }
  }

 private:
  int64_t rows() const { return std::min(shape_.k, shape_.num_sub_keys); }
  /// Pairs of the staircase with rank i (from 0) in the first half.
  int64_t columns(int64_t i) const { return std::min(shape_.num_sub_keys, shape_.k / (i + 1)); }

  /// The pairs of the staircase that reach `bound`, row by row; returns how many. best_corner: the best score beside
  /// it.
  int64_t gather_pairs(int64_t first_count, int64_t second_count, T bound, T& best_corner) {
    int64_t reaching = 0, row_begin = 0;
    for (int64_t i = 0; i < first_count && i <= rows(); ++i) {
      const int64_t row_end = i < rows() ? columns(i) : 0, end = std::min(row_end, second_count);
      const Lanes<T> left = broadcast(first_.scores[i]);
      for (int64_t j = 0; j < end; j += kLanes) {
        const Lanes<T> sums = pair_score(left, load(second_.scores + j));
        uint32_t bits = at_least_bits(sums, broadcast(bound));
        if (end - j < kLanes) bits &= (1u << (end - j)) - 1;
        reaching +=
            append_marked(sums, int32_t(row_begin + j), bits, pairs_.scores + reaching, pairs_.numbers + reaching);
      }
      if (end < second_count) best_corner = std::max(best_corner, pair_score(first_.scores[i], second_.scores[end]));
      row_begin += row_end;
    }
    return reaching;
  }

  /// Among equal scores the lower slot comes first; they were sorted by the place in the staircase.
  void order_equal_scores(const T* scores, int64_t* slots) const {
    for (int64_t j = 1; j < shape_.k; ++j) {
      for (int64_t i = j; i > 0 && scores[i] == scores[i - 1] && slots[i] < slots[i - 1]; --i) {
        std::swap(slots[i], slots[i - 1]);
      }
    }
  }

  /// Replaces the pairs that have the k-th best score by the lowest slots with that score.
  void resolve_tie(const Candidates<T>& first, const Candidates<T>& second, const T* scores, int64_t* slots) const {
    const int64_t k = shape_.k;
    const T score = scores[k - 1], best_second = second_.scores[0];
    int64_t count = 0;
    while (scores[count] > score) ++count;
    for (int64_t i = 0; i < first.count; ++i) {
      if (pair_score(first.list.scores[i], best_second) < score) continue;
      for (int64_t j = 0; j < second.count; ++j) {
        if (pair_score(first.list.scores[i], second.list.scores[j]) != score) continue;
        slots[count++] = first.list.numbers[i] * shape_.num_sub_keys + second.list.numbers[j];
        if (count == k) return;
      }
    }
  }

  const TopKShape& shape_;
  const PairShapes& shapes_;
  ScoreList<T> first_, second_;         // candidates, sorted
  ScoreList<T> pairs_, sorted_;         // of the staircase
  int32_t *first_rank_, *second_rank_;  // of each pair of the staircase
};

}  // namespace
}  // namespace memlayers::ops
