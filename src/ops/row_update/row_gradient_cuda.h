// The CUDA kernels that turn bag records into gradient rows, over plain pointers on a device; bits as on the CPU.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/row_update/row_gradient_kernel.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// keys[i] = slots[i] << 32 | (first_entry + i); *largest becomes the largest slot if it was smaller (as unsigned).
void number_entries(const int64_t* slots, int64_t count, uint32_t first_entry, uint64_t* keys, uint64_t* largest,
                    Stream stream);

/// values [rows, D] from sorted entries. All pointers, also those inside of the records, are the device's. `wide`: the
/// rows of all output gradients allow 16-byte loads (packs_fit).
template <class T>
void sum_rows(const RowSumProblem<T>& problem, T* values, bool wide, int64_t rows, Stream stream);

/// sums [squared_runs(rows), column_blocks(D)] of the squares of values [rows, D] (row_squares.h).
template <class T>
void square_sums(const T* values, int64_t value_dim, int64_t rows, double* sums, Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
