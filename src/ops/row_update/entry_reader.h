// Where a bag entry's weight and output gradient are. For kernels of a device.
#pragma once

#include "ops/cuda/device.h"
#include "ops/row_update/row_gradient_kernel.h"

namespace memlayers::ops {

template <class T>
struct EntryOnDevice {
  T weight;
  const T* gradient;  // [D]
};

/// Records are few (layers times micro-steps), so the entry's is found by looking at each.
template <class T>
__device__ __forceinline__ EntryOnDevice<T> read_entry(const RowSumProblem<T>& problem, uint32_t entry) {
  int64_t r = 0;
  while (r + 1 < problem.num_records && entry >= problem.records[r + 1].first_entry) ++r;
  const RecordView<T> record = problem.records[r];
  const uint32_t place = entry - record.first_entry;
  return {record.weights[place], record.grad_output + int64_t(place / record.bag_size) * problem.value_dim};
}

inline constexpr int kColumnsPerLane = 4;

/// Columns first, first + 16, ... of the gradient of row u: its entries added in their order. Zero beyond the row's end.
template <class T>
__device__ __forceinline__ void sum_columns(const RowSumProblem<T>& problem, int64_t u, int64_t first,
                                            T (&sum)[kColumnsPerLane]) {
#pragma unroll
  for (int i = 0; i < kColumnsPerLane; ++i) sum[i] = 0;
#pragma unroll 2
  for (int64_t e = problem.row_begins[u]; e < problem.row_begins[u + 1]; ++e) {
    const EntryOnDevice<T> entry = read_entry(problem, uint32_t(problem.sorted[e]));
    T value[kColumnsPerLane];
#pragma unroll
    for (int i = 0; i < kColumnsPerLane; ++i) {
      value[i] = first + 16 * i < problem.value_dim ? entry.gradient[first + 16 * i] : T(0);
    }
#pragma unroll
    for (int i = 0; i < kColumnsPerLane; ++i) sum[i] += entry.weight * value[i];
  }
}

}  // namespace memlayers::ops
