// The weighted sum of table rows, and its gradient without a dense table gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace memlayers::ops {

/// What one backward pass leaves behind for the table: row slots[t, j] receives weights[t, j] * grad_output[t].
struct BagRecord {
  at::Tensor slots;        // [N, M] int64
  at::Tensor weights;      // [N, M] float32
  at::Tensor grad_output;  // [N, D] float32
};

/// Records of every layer and every micro-step that read one table, in the order of their backward passes. One row
/// update per optimizer step consumes them; the table's gradient is never dense.
using BagRecords = std::vector<BagRecord>;

/// An uninitialized [rows, value_dim] tensor for a table or for state beside one, on large pages where the kernel has
/// them:
/// its rows are read at random.
at::Tensor allocate_rows(int64_t rows, int64_t value_dim, at::ScalarType dtype);

/// y[t] = sum over j of weights[t, j] * table[slots[t, j]].
///
/// table [S, D] float32, bfloat16 or float64, contiguous; slots [N, M] int64 in [0, S); weights [N, M] float32 (float64
/// with a float64 table). Returns [N, D] in the table's dtype, accumulated in float32 (float64). Repeated slots add.
/// N or M may be 0.
/// Differentiable in weights. Its backward appends a BagRecord to `records` (may be null: then the table is taken
/// as constant). `table` itself never receives a gradient.
/// Throws base::UsageError: shapes or dtypes that do not fit, a slot outside the table.
at::Tensor memory_bag(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights,
                      std::shared_ptr<BagRecords> records);

/// The gradient of `weights` [N, M] float32 (float64): the dot product of grad_output[t] with row slots[t, j]. Summed
/// in the order of column_blocks.h: the gradients over equal slices of the columns (of 16 columns or a multiple, a
/// power of two of slices), added in a BlockTree, give the bits of the whole.
at::Tensor memory_bag_weight_gradient(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output);

}  // namespace memlayers::ops
