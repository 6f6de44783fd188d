// Where to look for k pairs that are all good: a bound on the k-th best pair from a few of each half.
//
// Of two lists in falling order, take for each of the first rows a number of columns that falls from row to row: a
// shape. A shape of k pairs has its worst pair in one of its corners, and no k-th best pair is worse than that. Which
// shape says most depends on how the two lists fall, so sixteen are tried, from wide to tall: each is the k pairs of
// the least i^r * j^(1/r), ranks counted from 1, which is the best where the lists fall like -r * log(i) and -log(j) /
// r.
#pragma once

#include <cstdint>

namespace memlayers::ops {

struct PairShapes {
  static constexpr int kListed = 32;  // ranks of each half that a shape may use
  static constexpr int kShapes = 16;
  static constexpr int kMostCorners = 16;

  int64_t k = 0;
  int num_corners = 0;  // 0 where k is too large for these shapes, and there is no bound
  /// Ranks (from 0) of corner c of shape s; a shape with fewer corners repeats its last.
  int32_t first[kMostCorners][kShapes], second[kMostCorners][kShapes];
};

PairShapes make_pair_shapes(int64_t k);

}  // namespace memlayers::ops
