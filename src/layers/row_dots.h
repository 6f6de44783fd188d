// Dot products with the rows of a table in memory, for PEER's first table (He 2024): one activation per slot of the
// bag.
#pragma once

#include "ops/memory_bag/memory_bag.h"

namespace memlayers::layers {

/// a[t, j] = dot(x[t], table[slots[t, j]]).
///
/// table [S, D]; slots [N, M] int64; x [N, D] in the table's dtype. Returns [N, M] float32 (float64). Differentiable in
/// x; the table's gradient is left in `records`, never dense.
at::Tensor row_dots(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& x,
                    const std::shared_ptr<ops::BagRecords>& records);

}  // namespace memlayers::layers
