// The definitions in torch's own operations, for tests.
#pragma once

#include "ops/quantized_bag/quantized_rows.h"

namespace memlayers::ops {

/// [S, D] of the table's dtype: each value replaced by scale * code, in its dtype's arithmetic. bits 8 or 4.
at::Tensor quantized_values_reference(const at::Tensor& table, int64_t bits);

/// The bag of the dequantized table [S, D] float64.
at::Tensor quantized_bag_reference(const QuantizedRows& table, const at::Tensor& slots, const at::Tensor& weights);

}  // namespace memlayers::ops
