// The machine's limits as plain calls, on all threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::profiling {

/// Reads every row that `slots` [N, M] names, in that order and split over threads as a bag is. `ahead_bytes`: how far
/// in advance rows are asked for.
void gather_rows(const at::Tensor& table, const at::Tensor& slots, int64_t ahead_bytes);
/// The distance that is fastest here for rows of this table, found by trying.
int64_t best_ahead_bytes(const at::Tensor& table, const at::Tensor& slots);

/// Copies the bytes of `source` over those of `target` (both contiguous, of one size), past the caches.
void stream_copy(const at::Tensor& target, const at::Tensor& source);

}  // namespace memlayers::profiling
