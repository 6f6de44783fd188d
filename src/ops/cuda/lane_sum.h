// Sums along a row in the order of docs/numerics.md: sixteen lanes, then the lanes among themselves (ops/simd/lanes.h),
// then the blocks of columns in their tree (ops/column_blocks.h).
#pragma once

#include "ops/cuda/device.h"

namespace memlayers::ops {

inline constexpr int kSumLanes = 16;

/// Sixteen lanes over kSumLanes / pack neighboring threads, added in halves. The first of the threads has the sum. All
/// threads of the warp take part.
template <int pack, class T>
__device__ __forceinline__ T sum_lanes(T (&lane)[pack]) {
  constexpr int kThreadsPerSum = kSumLanes / pack;
#pragma unroll
  for (int distance = kThreadsPerSum / 2; distance > 0; distance /= 2) {
#pragma unroll
    for (int c = 0; c < pack; ++c) lane[c] += __shfl_down_sync(kFullMask, lane[c], distance, kThreadsPerSum);
  }
#pragma unroll
  for (int width = pack / 2; width > 0; width /= 2) {
#pragma unroll
    for (int c = 0; c < width; ++c) lane[c] += lane[c + width];
  }
  return lane[0];
}

/// BlockTree of column_blocks.h for up to 2^(levels - 1) blocks, in registers.
template <class T, int levels>
class LaneTree {
 public:
  /// The sum of block `block`, which counts up from 0.
  __device__ __forceinline__ void add(uint32_t block, T sum) {
    bool waits = false;
#pragma unroll
    for (int level = 0; level < levels; ++level) {
      if (waits) continue;
      waits = (block >> level & 1) == 0;
      sum = waits ? sum : pending_[level] + sum;
      if (waits) pending_[level] = sum;
    }
    total_ = sum;
  }
  /// Of all blocks, when their number is a power of two.
  __device__ __forceinline__ T total() const { return total_; }

 private:
  T pending_[levels] = {};
  T total_ = 0;
};

}  // namespace memlayers::ops
