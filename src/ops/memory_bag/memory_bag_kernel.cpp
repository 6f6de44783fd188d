// A bag's rows lie anywhere in a table far larger than the caches, so what counts is to ask for rows early: a few bags'
// rows are always on their way while one is summed. The sum over the bag stays in registers, a block of columns at a
// time, and its order is that of the bag whatever the block's width.
#include "ops/memory_bag/memory_bag_kernel.h"

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int kBlock = kVectorBytes / 8;  // lanes of 16 in a block: eight registers on every instruction set
constexpr int64_t kRowsAhead = 4;
constexpr int64_t kPrefetchBytes = 1024;  // the processor's own prefetcher follows longer rows

template <class Row>
MEMLAYERS_INLINE void prefetch_row(const Row* row, int64_t value_dim) {
  const char* bytes = reinterpret_cast<const char*>(row);
  const int64_t size = value_dim * int64_t(sizeof(Row));
  for (int64_t b = 0; b < size && b < kPrefetchBytes; b += 64) __builtin_prefetch(bytes + b);
}

MEMLAYERS_INLINE void store_row(float* target, float value) { *target = value; }
MEMLAYERS_INLINE void store_row(double* target, double value) { *target = value; }
MEMLAYERS_INLINE void store_row(uint16_t* target, float value) { *target = narrow(value); }

/// Columns [column, column + 16 * blocks) of one token's sum.
template <int blocks, class Row, class T>
MEMLAYERS_INLINE void sum_columns(const BagProblem<Row, T>& bag, const int64_t* slots, const T* weights, Row* output,
                                  int64_t column) {
  Lanes<T> total[blocks];
  for (int b = 0; b < blocks; ++b) total[b] = broadcast(T{0});
  for (int64_t j = 0; j < bag.bag_size; ++j) {
    const Row* row = bag.table + slots[j] * bag.value_dim + column;
    const Lanes<T> weight = broadcast(weights[j]);
    for (int b = 0; b < blocks; ++b) total[b] = total[b] + weight * load(row + b * kLanes);
  }
  for (int b = 0; b < blocks; ++b) {
    if constexpr (sizeof(Row) == sizeof(T)) {
      store(output + column + b * kLanes, total[b]);
    } else {
      T lane[kLanes];
      store(lane, total[b]);
      for (int i = 0; i < kLanes; ++i) store_row(output + column + b * kLanes + i, lane[i]);
    }
  }
}

template <class Row, class T>
void forward(const BagProblem<Row, T>& bag, const T* weights, Row* output, int64_t first, int64_t last) {
  const int64_t size = bag.bag_size, dim = bag.value_dim;
  const int64_t end = last * size;
  for (int64_t t = first; t < last; ++t) {
    const int64_t* slots = bag.slots + t * size;
    const T* weight = weights + t * size;
    Row* out = output + t * dim;
    // The next bag's rows: asked for before this one is summed.
    for (int64_t e = (t + 1) * size; e < end && e < (t + 2) * size; ++e) {
      prefetch_row(bag.table + bag.slots[e] * dim, dim);
    }
    int64_t column = 0;
    for (; column + kBlock * kLanes <= dim; column += kBlock * kLanes) {
      sum_columns<kBlock>(bag, slots, weight, out, column);
    }
    for (; column + kLanes <= dim; column += kLanes) sum_columns<1>(bag, slots, weight, out, column);
    for (; column < dim; ++column) {
      T total = 0;
      for (int64_t j = 0; j < size; ++j) total += weight[j] * T(widen(bag.table[slots[j] * dim + column]));
      store_row(out + column, total);
    }
  }
}

template <class Row, class T>
void weight_gradient(const BagProblem<Row, T>& bag, const T* grad_output, T* gradient, int64_t first, int64_t last) {
  const int64_t size = bag.bag_size, dim = bag.value_dim;
  const int64_t end = last * size;
  for (int64_t t = first; t < last; ++t) {
    const T* grad = grad_output + t * dim;
    for (int64_t e = t * size; e < (t + 1) * size; ++e) {
      if (e + kRowsAhead < end) prefetch_row(bag.table + bag.slots[e + kRowsAhead] * dim, dim);
      const Row* row = bag.table + bag.slots[e] * dim;
      Lanes<T> total = broadcast(T{0});
      int64_t column = 0;
      for (; column + kLanes <= dim; column += kLanes) total = total + load(grad + column) * load(row + column);
      if (column < dim) {
        total = total + load_tail<T>(grad + column, dim - column) * load_tail<T>(row + column, dim - column);
      }
      gradient[e] = sum(total);
    }
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const BagKernel kBagKernel = {.float32 = {forward<float, float>, weight_gradient<float, float>},
                              .bfloat16 = {forward<uint16_t, float>, weight_gradient<uint16_t, float>},
                              .float64 = {forward<double, double>, weight_gradient<double, double>}};
}

}  // namespace memlayers::ops
