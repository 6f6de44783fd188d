// PEER's first table (He 2024): one activation per slot of the bag.
#pragma once

#include "layers/memory_table.h"

namespace memlayers::layers {

/// a[t, j] = dot(x[t], table[slots[t, j]]).
///
/// x [N, D], slots [N, M] int64, the table's weight [S, D]; x in the table's dtype. Returns [N, M] float32 (float64).
/// Differentiable in x; the table's gradient is left as a record, never dense.
at::Tensor peer_score(const MemoryTable& table, const at::Tensor& slots, const at::Tensor& x);

}  // namespace memlayers::layers
