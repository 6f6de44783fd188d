// Sixteen threads a row hold the lanes of its sum, so a warp has two rows. The weight's gradient is summed by a thread
// a column and block of rows, in the order of the rows, and then over the blocks in their order.
#include "ops/rms_norm/rms_norm_cuda.h"

#include "ops/cuda/device.h"
#include "ops/cuda/lane_sum.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kRowsPerBlock = kThreads / kSumLanes;

__device__ __forceinline__ float root_of(float x) { return sqrtf(x); }
__device__ __forceinline__ double root_of(double x) { return sqrt(x); }

/// The row of these sixteen threads. Those beyond the last row follow the first one, since whole warps meet in a sum.
template <class T>
struct ThreadsOfRow {
  int64_t row;
  bool exists;
  int first;  // this thread's first column

  __device__ explicit ThreadsOfRow(int64_t rows)
      : row(block_index() * kRowsPerBlock + thread_index() / kSumLanes),
        exists(row < rows),
        first(thread_index() % kSumLanes) {
    if (!exists) row = 0;
  }

  /// The sum over the row's threads, which all of them get.
  __device__ __forceinline__ T add_up(T value) const {
    T lane[1] = {value};
    return __shfl_sync(kFullMask, sum_lanes<1>(lane), 0, kSumLanes);
  }
};

template <class T>
__device__ __forceinline__ const T* weight_of(const RmsProblem<T>& problem, int64_t row) {
  return problem.weight + row / problem.inner % problem.groups * problem.size;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    forward(RmsProblem<T> problem, T* __restrict__ y, T* __restrict__ inverse_root, int64_t rows) {
  const ThreadsOfRow<T> mine(rows);
  const int64_t size = problem.size;
  const T* x = problem.x + mine.row * size;
  T squares = 0;
#pragma unroll 4
  for (int64_t c = mine.first; c < size; c += kSumLanes) squares += x[c] * x[c];
  const T root = T(1) / root_of(mine.add_up(squares) / T(size) + T(problem.eps));
  if (!mine.exists) return;
  const T* weight = weight_of(problem, mine.row);
  if (mine.first == 0) inverse_root[mine.row] = root;
  for (int64_t c = mine.first; c < size; c += kSumLanes) y[mine.row * size + c] = x[c] * root * weight[c];
}

/// grad_x = root * (grad * weight - x * projection * root^2 / D)
template <class T>
__global__ void __launch_bounds__(kThreads)
    row_gradient(RmsProblem<T> problem, const T* __restrict__ grad, T* __restrict__ grad_x, int64_t rows) {
  const ThreadsOfRow<T> mine(rows);
  const int64_t size = problem.size;
  const T *x = problem.x + mine.row * size, *g = grad + mine.row * size, *weight = weight_of(problem, mine.row);
  T products = 0;
#pragma unroll 4
  for (int64_t c = mine.first; c < size; c += kSumLanes) products += g[c] * weight[c] * x[c];
  const T root = problem.inverse_root[mine.row];
  const T pull = mine.add_up(products) * root * root * (T(1) / T(size));
  if (!mine.exists) return;
  for (int64_t c = mine.first; c < size; c += kSumLanes) {
    grad_x[mine.row * size + c] = root * (g[c] * weight[c] - x[c] * pull);
  }
}

/// One thread a block of rows and number of the weight: its rows come `inner` at a time, every groups * inner.
template <class T>
__global__ void __launch_bounds__(kThreads)
    weight_sums(RmsProblem<T> problem, const T* __restrict__ grad, T* __restrict__ partial, int64_t rows,
                int64_t block_rows, int64_t count) {
  const int64_t item = block_index() * kThreads + thread_index(), size = problem.size;
  if (item >= count) return;
  const int64_t weights = problem.groups * size, group = item % weights / size, column = item % size;
  const int64_t begin = item / weights * block_rows, end = begin + block_rows < rows ? begin + block_rows : rows;
  const int64_t cycle = problem.inner * problem.groups;
  T total = 0;
  for (int64_t run = begin / cycle * cycle + group * problem.inner; run < end; run += cycle) {
    const int64_t last = run + problem.inner < end ? run + problem.inner : end;
#pragma unroll 4
    for (int64_t row = run > begin ? run : begin; row < last; ++row) {
      total += grad[row * size + column] * (problem.x[row * size + column] * problem.inverse_root[row]);
    }
  }
  partial[item] = total;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    add_blocks(const T* __restrict__ partial, T* __restrict__ grad_weight, int64_t blocks, int64_t weights) {
  const int64_t i = block_index() * kThreads + thread_index();
  if (i >= weights) return;
  T total = 0;
#pragma unroll 4
  for (int64_t b = 0; b < blocks; ++b) total += partial[b * weights + i];
  grad_weight[i] = total;
}

}  // namespace

template <class T>
void rms_forward(const RmsProblem<T>& problem, T* y, T* inverse_root, int64_t rows, Stream stream) {
  launch(forward<T>, divide_up(rows, kRowsPerBlock), kThreads, stream, problem, y, inverse_root, rows);
}

template <class T>
void rms_backward(const RmsProblem<T>& problem, const T* grad, T* grad_x, T* partial, T* grad_weight, int64_t rows,
                  Stream stream) {
  const int64_t block_rows = rms_block_rows(problem.size, problem.groups), blocks = divide_up(rows, block_rows);
  const int64_t weights = problem.groups * problem.size, count = blocks * weights;
  launch(row_gradient<T>, divide_up(rows, kRowsPerBlock), kThreads, stream, problem, grad, grad_x, rows);
  launch(weight_sums<T>, divide_up(count, kThreads), kThreads, stream, problem, grad, partial, rows, block_rows, count);
  launch(add_blocks<T>, divide_up(weights, kThreads), kThreads, stream, partial, grad_weight, blocks, weights);
}

#define MEMLAYERS_RMS(T)                                                    \
  template void rms_forward(const RmsProblem<T>&, T*, T*, int64_t, Stream); \
  template void rms_backward(const RmsProblem<T>&, const T*, T*, T*, T*, int64_t, Stream)
MEMLAYERS_RMS(float);
MEMLAYERS_RMS(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
