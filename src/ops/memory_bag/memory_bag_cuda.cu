// Both kernels wait for rows that lie anywhere in the table, so each warp keeps several rows on their way.
//
// Forward: a warp owns a piece of columns of one token's sum (two 16-byte loads a lane: 1 KiB of a row) and walks
// through the bag four rows at a time; the sum stays in registers and is taken in the order of the bag.
// Weight gradient: sums along D go through sixteen lanes in the order of docs/numerics.md. With 16-byte loads two
// (four, eight) threads hold those lanes, so a warp has sixteen (eight, four) rows in flight at once.
// Rows whose length is no multiple of 16 bytes are read number by number, in the same orders. Codes are read four at a
// time, so that a warp's loads are neighbors and four threads hold the lanes of a sum.
#include "ops/column_blocks.h"
#include "ops/cuda/device.h"
#include "ops/cuda/lane_sum.h"
#include "ops/memory_bag/memory_bag_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kWarpsPerBlock = kThreads / kWarp;
constexpr int kPacksPerLane = 2;
constexpr int kRowsInFlight = 4;
constexpr int kStepsInFlight = 4;  // of sixteen columns

/// Columns of one load.
template <class Row>
constexpr int kBagPack = kIsCode<Row> ? 4 : 16 / int(sizeof(Row));

/// `pack` neighboring columns of a row as they were read.
template <int pack, class Row>
struct Columns {
  Pack<Row, pack> raw;

  __device__ __forceinline__ void read(const Row* row, int64_t column) { raw = load_pack<pack>(row + column); }
  __device__ __forceinline__ auto at(int c) const { return widen(raw.at[c]); }
};
template <int pack>
struct Columns<pack, HalfBytes> {
  Pack<uint8_t, pack> raw;
  int shift;

  __device__ __forceinline__ void read(const HalfBytes* row, int64_t column) {
    raw = load_pack<pack>(row[column / HalfBytes::kColumns].byte + column % kSumLanes);
    shift = column % HalfBytes::kColumns < kSumLanes ? 0 : 4;
  }
  __device__ __forceinline__ float at(int c) const {
    const int code = raw.at[c] >> shift & 15;
    return float(code < 8 ? code : code - 16);
  }
};

template <class Row, class T>
__device__ __forceinline__ const Row* row_of(const BagProblem<Row, T>& bag, int64_t slot) {
  if constexpr (std::is_same_v<Row, HalfBytes>) {
    return bag.table + slot * divide_up(bag.value_dim, HalfBytes::kColumns);
  } else {
    return bag.table + slot * bag.value_dim;
  }
}

/// What multiplies the codes of a row; 1 where it is of numbers.
template <class Row, class T>
__device__ __forceinline__ T scale_of(const BagProblem<Row, T>& bag, int64_t slot) {
  if constexpr (kIsCode<Row>) {
    return bag.scales[slot];
  } else {
    return T(1);
  }
}

/// One warp a piece of `kWarp * kPacksPerLane * pack` columns of one token.
template <int pack, class Row, class T>
__global__ void __launch_bounds__(kThreads)
    forward(BagProblem<Row, T> bag, const T* __restrict__ weights,
            typename BagProblem<Row, T>::Output* __restrict__ output, int64_t pieces, int64_t tokens) {
  const int64_t item = block_index() * kWarpsPerBlock + warp_index();
  if (item >= tokens * pieces) return;
  const int64_t token = item / pieces;
  const int64_t first = item % pieces * (kWarp * kPacksPerLane * pack) + lane_index() * pack;
  const int64_t dim = bag.value_dim, size = bag.bag_size;
  T total[kPacksPerLane][pack] = {};
  for (int64_t chunk = 0; chunk < size; chunk += kWarp) {
    // Each lane reads one slot and weight; the warp hears of them one after another.
    const int64_t entry = chunk + lane_index();
    const int64_t my_slot = entry < size ? bag.slots[token * size + entry] : 0;
    const T my_weight = entry < size ? weights[token * size + entry] * scale_of(bag, my_slot) : T(0);
    const int count = size - chunk < kWarp ? int(size - chunk) : kWarp;
    for (int j = 0; j < count; j += kRowsInFlight) {
      Columns<pack, Row> row[kRowsInFlight][kPacksPerLane] = {};
      T weight[kRowsInFlight];
#pragma unroll
      for (int r = 0; r < kRowsInFlight; ++r) {
        const int64_t slot = __shfl_sync(kFullMask, my_slot, (j + r) % kWarp);
        weight[r] = __shfl_sync(kFullMask, my_weight, (j + r) % kWarp);
#pragma unroll
        for (int p = 0; p < kPacksPerLane; ++p) {
          const int64_t column = first + p * (kWarp * pack);
          if (j + r < count && column < dim) row[r][p].read(row_of(bag, slot), column);
        }
      }
#pragma unroll
      for (int r = 0; r < kRowsInFlight; ++r) {
        if (j + r >= count) break;
#pragma unroll
        for (int p = 0; p < kPacksPerLane; ++p) {
#pragma unroll
          for (int c = 0; c < pack; ++c) total[p][c] += weight[r] * T(row[r][p].at(c));
        }
      }
    }
  }
#pragma unroll
  for (int p = 0; p < kPacksPerLane; ++p) {
    const int64_t column = first + p * (kWarp * pack);
    if (column >= dim) continue;
    Pack<typename BagProblem<Row, T>::Output, pack> sum;
    for (int c = 0; c < pack; ++c) narrow_to(sum.at[c], total[p][c]);
    store_pack(output + token * dim + column, sum);
  }
}

/// kSumLanes / pack threads an entry of a bag. Threads without an entry follow some row, since whole warps meet in
/// sum_lanes(). A block of columns is `sixteens` steps.
template <int pack, class Row, class T>
__global__ void __launch_bounds__(kThreads) weight_gradient(BagProblem<Row, T> bag, const T* __restrict__ grad_output,
                                                            T* __restrict__ gradient, int64_t entries, int sixteens) {
  constexpr int kThreadsPerSum = kSumLanes / pack, kSumsPerBlock = kThreads / kThreadsPerSum;
  const int64_t entry = block_index() * kSumsPerBlock + thread_index() / kThreadsPerSum;
  const bool exists = entry < entries;
  const int64_t dim = bag.value_dim;
  const int first = thread_index() % kThreadsPerSum * pack;
  const int64_t slot = bag.slots[exists ? entry : 0];
  const Row* row = row_of(bag, slot);
  const T* grad = grad_output + (exists ? entry / bag.bag_size : 0) * dim;
  LaneTree<T, kDeviceTreeLevels + 1> tree;
  T lane[pack] = {};
  uint32_t blocks = 0;
  int steps = 0;
  for (int64_t group = 0; group < dim; group += kStepsInFlight * kSumLanes) {
    Columns<pack, Row> values[kStepsInFlight] = {};
#pragma unroll
    for (int i = 0; i < kStepsInFlight; ++i) {
      const int64_t column = group + i * kSumLanes + first;
      if (column < dim) values[i].read(row, column);
    }
#pragma unroll
    for (int i = 0; i < kStepsInFlight; ++i) {
      if (group + i * kSumLanes >= dim) break;
      const int64_t column = group + i * kSumLanes + first;
#pragma unroll
      for (int c = 0; c < pack; ++c) {
        if (column < dim) lane[c] += grad[column + c] * T(values[i].at(c));
      }
      if (++steps != sixteens) continue;
      tree.add(blocks++, sum_lanes<pack>(lane));
      steps = 0;
#pragma unroll
      for (int c = 0; c < pack; ++c) lane[c] = 0;
    }
  }
  if (exists && first == 0) gradient[entry] = tree.total() * scale_of(bag, slot);
}

template <int pack, class Row, class T>
void launch_forward(const BagProblem<Row, T>& bag, const T* weights, typename BagProblem<Row, T>::Output* output,
                    int64_t tokens, Stream stream) {
  const int64_t pieces = divide_up(bag.value_dim, kWarp * kPacksPerLane * pack);
  launch(forward<pack, Row, T>, divide_up(tokens * pieces, kWarpsPerBlock), kThreads, stream, bag, weights, output,
         pieces, tokens);
}

template <int pack, class Row, class T>
void launch_weight_gradient(const BagProblem<Row, T>& bag, const T* grad_output, T* gradient, int64_t tokens,
                            Stream stream) {
  const int64_t entries = tokens * bag.bag_size;
  const int64_t blocks = column_blocks(bag.value_dim);
  launch(weight_gradient<pack, Row, T>, divide_up(entries, kThreads / (kSumLanes / pack)), kThreads, stream, bag,
         grad_output, gradient, entries, divide_up(bag.value_dim / blocks, kSumLanes));
}

/// Whether loads of kBagPack columns are aligned, and so are the stores of as many sums.
template <class Row, class T>
bool columns_fit(const BagProblem<Row, T>& bag, const void* output) {
  constexpr int64_t kColumnBytes = kIsCode<Row> ? 1 : sizeof(Row);
  return bag.value_dim % kBagPack<Row> == 0 &&
         reinterpret_cast<uintptr_t>(bag.table) % (kBagPack<Row> * kColumnBytes) == 0 &&
         reinterpret_cast<uintptr_t>(output) % 16 == 0;
}

}  // namespace

template <class Row, class T>
void bag_forward(const BagProblem<Row, T>& bag, const T* weights, typename BagProblem<Row, T>::Output* output,
                 int64_t tokens, Stream stream) {
  if (columns_fit(bag, output)) {
    launch_forward<kBagPack<Row>>(bag, weights, output, tokens, stream);
  } else {
    launch_forward<1>(bag, weights, output, tokens, stream);
  }
}

template <class Row, class T>
void bag_weight_gradient(const BagProblem<Row, T>& bag, const T* grad_output, T* gradient, int64_t tokens,
                         Stream stream) {
  if (columns_fit(bag, nullptr)) {
    launch_weight_gradient<kBagPack<Row>>(bag, grad_output, gradient, tokens, stream);
  } else {
    launch_weight_gradient<1>(bag, grad_output, gradient, tokens, stream);
  }
}

#define MEMLAYERS_BAG(Row, T)                                                                                   \
  template void bag_forward(const BagProblem<Row, T>&, const T*, BagProblem<Row, T>::Output*, int64_t, Stream); \
  template void bag_weight_gradient(const BagProblem<Row, T>&, const T*, T*, int64_t, Stream)
MEMLAYERS_BAG(float, float);
MEMLAYERS_BAG(uint16_t, float);
MEMLAYERS_BAG(double, double);
MEMLAYERS_BAG(int8_t, float);
MEMLAYERS_BAG(HalfBytes, float);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
