// Sums along a row in the order of docs/numerics.md: sixteen lanes, then the lanes among themselves (ops/simd/lanes.h).
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

}  // namespace memlayers::ops
