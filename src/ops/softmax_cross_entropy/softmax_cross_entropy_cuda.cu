// A block a row, in three passes: the largest logit; the sum of e^(x - largest); the gradient, for which e^x is taken
// again:
// it costs less than to write and read it. All threads take e^x of a tile of the row, and the first sixteen add it up,
// since the order of the sum is that of sixteen lanes.
#include "ops/softmax_cross_entropy/softmax_cross_entropy_cuda.h"

#include <type_traits>

#include "ops/cuda/device.h"
#include "ops/cuda/lane_sum.h"
#include "ops/simd/scalar_math.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kTile = 1024;

/// A NaN is passed over: it shows in the sum.
template <class T>
__device__ T largest_of(const T* row, int64_t size, SharedPointer<T> of_warp) {
  T largest = row[thread_index() < size ? thread_index() : 0];
  for (int64_t c = thread_index(); c < size; c += kThreads) largest = row[c] > largest ? row[c] : largest;
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    const T other = __shfl_xor_sync(kFullMask, largest, distance);
    largest = other > largest ? other : largest;
  }
  if (lane_index() == 0) of_warp[warp_index()] = largest;
  __syncthreads();
  for (int w = 0; w < kThreads / kWarp; ++w) {
    const T other = of_warp[w];
    largest = other > largest ? other : largest;
  }
  return largest;
}

/// The sum of e^(x - largest) over the row, for all threads.
template <class T>
__device__ T exponential_sum(const T* row, int64_t size, T largest, SharedPointer<T> tile, SharedPointer<T> total) {
  T lane[1] = {0};  // of the first sixteen threads
  for (int64_t begin = 0; begin < size; begin += kTile) {
    const int count = size - begin < kTile ? int(size - begin) : kTile;
    for (int c = thread_index(); c < count; c += kThreads) tile[c] = exponential(row[begin + c] - largest);
    __syncthreads();
    if (thread_index() < kSumLanes) {
#pragma unroll 4
      for (int c = thread_index(); c < count; c += kSumLanes) lane[0] += tile[c];
    }
    __syncthreads();
  }
  const T sum = sum_lanes<1>(lane);
  if (thread_index() == 0) total[0] = sum;
  __syncthreads();
  return total[0];
}

/// Logits are T, or const T where only losses are wanted.
template <class Logit>
__global__ void __launch_bounds__(kThreads)
    cross_entropy(Logit* __restrict__ logits, const int64_t* __restrict__ targets, int64_t size,
                  std::remove_const_t<Logit> scale, std::remove_const_t<Logit>* __restrict__ losses) {
  using T = std::remove_const_t<Logit>;
  MEMLAYERS_SHARED(T, of_warp, kThreads / kWarp);
  MEMLAYERS_SHARED(T, tile, kTile);
  MEMLAYERS_SHARED(T, total_of_row, 1);
  Logit* row = logits + block_index() * size;
  const int64_t target = targets[block_index()];
  const T largest = largest_of<T>(row, size, of_warp);
  const T total = exponential_sum<T>(row, size, largest, tile, total_of_row);
  if (thread_index() == 0) {
    losses[block_index()] = T(logarithm(double(total)) + (double(largest) - double(row[target])));
  }
  if constexpr (!std::is_const_v<Logit>) {
    __syncthreads();  // the target's logit has been read
    const T factor = scale / total;
    for (int64_t c = thread_index(); c < size; c += kThreads) {
      const T e = exponential(row[c] - largest);
      // At the target before the rounding to `scale`: one minus a probability near one would lose its digits.
      row[c] = c == target ? (e / total - T(1)) * scale : e * factor;
    }
  }
}

}  // namespace

template <class T>
void cross_entropy_losses(const T* logits, const int64_t* targets, int64_t size, T* losses, int64_t rows,
                          Stream stream) {
  launch(cross_entropy<const T>, rows, kThreads, stream, logits, targets, size, T(1), losses);
}

template <class T>
void cross_entropy_gradient(T* logits, const int64_t* targets, int64_t size, T scale, T* losses, int64_t rows,
                            Stream stream) {
  launch(cross_entropy<T>, rows, kThreads, stream, logits, targets, size, scale, losses);
}

#define MEMLAYERS_CROSS_ENTROPY(T)                                                            \
  template void cross_entropy_losses(const T*, const int64_t*, int64_t, T*, int64_t, Stream); \
  template void cross_entropy_gradient(T*, const int64_t*, int64_t, T, T*, int64_t, Stream)
MEMLAYERS_CROSS_ENTROPY(float);
MEMLAYERS_CROSS_ENTROPY(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
