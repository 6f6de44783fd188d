// The table's optimizer steps as compositions of ATen operations, over dense gradients and in any float dtype: what
// tests compare the kernels with, in float64.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/row_update/row_update.h"

namespace memlayers::ops {

/// The table's gradient [S, D] that the records stand for.
at::Tensor dense_gradient_reference(const BagRecords& records, int64_t num_slots, int64_t value_dim);

/// One step of any kind with a dense gradient [S, D] in the table's dtype, in place. `touched` [S] bool says which
/// rows lazy, rowwise and sgd update; exact updates all. state as by make_row_state, in the table's dtype.
void row_update_reference(at::Tensor& table, RowState& state, const at::Tensor& gradient, const at::Tensor& touched,
                          int64_t step, double learning_rate, const RowUpdateOptions& options);

}  // namespace memlayers::ops
