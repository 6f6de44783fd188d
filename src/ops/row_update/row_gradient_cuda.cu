// A warp owns a piece of columns of one gradient row and adds the row's entries in their order, four output gradients
// on their way at a time. Which entries: 32 are looked up at once, one a lane, and passed around.
#include "ops/row_update/row_gradient_cuda.h"

#include "ops/cuda/device.h"
#include "ops/cuda/lane_sum.h"
#include "ops/row_update/entry_reader.h"
#include "ops/row_update/row_squares.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kWarpsPerBlock = kThreads / kWarp;
constexpr int kPacksPerLane = 2;
constexpr int kInFlight = 4;
constexpr int64_t kMostBlocks = 2048;  // of kernels whose threads walk on

__global__ void number(const int64_t* __restrict__ slots, int64_t count, uint32_t first_entry,
                       uint64_t* __restrict__ keys, unsigned long long* largest) {
  uint64_t mine = 0;
  const int64_t step = grid_blocks() * block_threads();
  for (int64_t i = block_index() * block_threads() + thread_index(); i < count; i += step) {
    const uint64_t slot = uint64_t(slots[i]);
    mine = slot > mine ? slot : mine;
    keys[i] = slot << 32 | (first_entry + uint32_t(i));
  }
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    const uint64_t other = __shfl_xor_sync(kFullMask, mine, distance);
    mine = other > mine ? other : mine;
  }
  if (lane_index() == 0) atomicMax(largest, static_cast<unsigned long long>(mine));
}

template <int pack, class T>
__global__ void __launch_bounds__(kThreads)
    add_entries(RowSumProblem<T> problem, T* __restrict__ values, int64_t pieces, int64_t rows) {
  const int64_t item = block_index() * kWarpsPerBlock + warp_index();
  if (item >= rows * pieces) return;
  const int64_t row = item / pieces, dim = problem.value_dim;
  const int64_t first = item % pieces * (kWarp * kPacksPerLane * pack) + lane_index() * pack;
  const int64_t begin = problem.row_begins[row], end = problem.row_begins[row + 1];
  T total[kPacksPerLane][pack] = {};
  for (int64_t chunk = begin; chunk < end; chunk += kWarp) {
    const int count = end - chunk < kWarp ? int(end - chunk) : kWarp;
    EntryOnDevice<T> mine{T(0), nullptr};
    if (lane_index() < count) mine = read_entry(problem, uint32_t(problem.sorted[chunk + lane_index()]));
    const uint64_t my_address = reinterpret_cast<uint64_t>(mine.gradient);
    for (int j = 0; j < count; j += kInFlight) {
      Pack<T, pack> gradient[kInFlight][kPacksPerLane] = {};
      T weight[kInFlight];
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        const T* source = reinterpret_cast<const T*>(__shfl_sync(kFullMask, my_address, (j + r) % kWarp));
        weight[r] = __shfl_sync(kFullMask, mine.weight, (j + r) % kWarp);
#pragma unroll
        for (int p = 0; p < kPacksPerLane; ++p) {
          const int64_t column = first + p * (kWarp * pack);
          if (j + r < count && column < dim) gradient[r][p] = load_pack<pack>(source + column);
        }
      }
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        if (j + r >= count) break;
#pragma unroll
        for (int p = 0; p < kPacksPerLane; ++p) {
#pragma unroll
          for (int c = 0; c < pack; ++c) total[p][c] += weight[r] * gradient[r][p].at[c];
        }
      }
    }
  }
#pragma unroll
  for (int p = 0; p < kPacksPerLane; ++p) {
    const int64_t column = first + p * (kWarp * pack);
    if (column >= dim) continue;
    Pack<T, pack> sum;
    for (int c = 0; c < pack; ++c) sum.at[c] = total[p][c];
    store_pack(values + row * dim + column, sum);
  }
}

/// kSumLanes threads a run of rows and block of columns.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_squares(const T* __restrict__ values, int64_t dim, int64_t rows, int64_t blocks, double* sums, int64_t count) {
  const int64_t item = block_index() * (kThreads / kSumLanes) + thread_index() / kSumLanes;
  const int64_t width = dim / blocks, begin = item % blocks * width, first_row = item / blocks * kSquaredRows;
  const int first = thread_index() % kSumLanes;
  double lane[1] = {0};
  if (item < count) {
    for (int64_t row = first_row; row < first_row + kSquaredRows && row < rows; ++row) {
#pragma unroll 4
      for (int64_t c = first; c < width; c += kSumLanes) {
        const double value = values[row * dim + begin + c];
        lane[0] += value * value;
      }
    }
  }
  const double sum = sum_lanes<1>(lane);
  if (item < count && first == 0) sums[item] = sum;
}

template <int pack, class T>
void launch_add_entries(const RowSumProblem<T>& problem, T* values, int64_t rows, Stream stream) {
  const int64_t pieces = divide_up(problem.value_dim, kWarp * kPacksPerLane * pack);
  launch(add_entries<pack, T>, divide_up(rows * pieces, kWarpsPerBlock), kThreads, stream, problem, values, pieces,
         rows);
}

}  // namespace

void number_entries(const int64_t* slots, int64_t count, uint32_t first_entry, uint64_t* keys, uint64_t* largest,
                    Stream stream) {
  const int64_t blocks = divide_up(count, kThreads);
  launch(number, blocks < kMostBlocks ? blocks : kMostBlocks, kThreads, stream, slots, count, first_entry, keys,
         reinterpret_cast<unsigned long long*>(largest));
}

template <class T>
void sum_rows(const RowSumProblem<T>& problem, T* values, bool wide, int64_t rows, Stream stream) {
  if (wide && packs_fit(values, problem.value_dim)) {
    launch_add_entries<16 / int(sizeof(T))>(problem, values, rows, stream);
  } else {
    launch_add_entries<1>(problem, values, rows, stream);
  }
}

template <class T>
void square_sums(const T* values, int64_t value_dim, int64_t rows, double* sums, Stream stream) {
  const int64_t blocks = column_blocks(value_dim), count = squared_runs(rows) * blocks;
  launch(add_squares<T>, divide_up(count, kThreads / kSumLanes), kThreads, stream, values, value_dim, rows, blocks,
         sums, count);
}

template void sum_rows(const RowSumProblem<float>&, float*, bool, int64_t, Stream);
template void sum_rows(const RowSumProblem<double>&, double*, bool, int64_t, Stream);
template void square_sums(const float*, int64_t, int64_t, double*, Stream);
template void square_sums(const double*, int64_t, int64_t, double*, Stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
