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

}  // namespace memlayers::ops
