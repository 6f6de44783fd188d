// Rows of eight or four bits: a table that is only read, for serving and for training beside a frozen table.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace memlayers::ops {

/// Row s is scales[s] * its codes. Eight bits: codes [S, D] int8 in [-127, 127]. Four bits: codes [S, 16 * ceil(D /
/// 32)] uint8, two codes in [-7, 7] a byte, in two's complement: of each 32 columns the first sixteen are the lower
/// halves of sixteen bytes, the others the upper halves; what goes beyond column D is zero.
struct QuantizedRows {
  at::Tensor codes;
  at::Tensor scales;      // [S] float32
  int64_t value_dim = 0;  // D
};

/// Codes of table [S, D] (float32 or bfloat16, on the CPU), bits 8 or 4. A row's scale is its largest magnitude over
/// 127 (7), in float32; a code is the quotient of value and scale, rounded to nearest even. Off by at most half a
/// scale, which is 1/254 (1/14) of the row's largest magnitude. A row of zeros has scale 0, and so has one too small
/// for a scale. Throws base::UsageError: other tables or bits, a row that is not finite.
QuantizedRows quantize_rows(const at::Tensor& table, int64_t bits);

/// [S, D] float32: scale times code, rounded once.
at::Tensor dequantize_rows(const QuantizedRows& rows);

/// y[t] = sum over j of (weights[t, j] * scales[slots[t, j]]) * codes[slots[t, j]]: memory_bag of a quantized table.
///
/// slots [N, M] int64 in [0, S); weights [N, M] float32. Returns [N, D] float32, accumulated in float32 in bag order.
/// Differentiable in weights. A quantized table is constant: it leaves no records and receives no gradient.
/// Throws base::UsageError: shapes or dtypes that do not fit, a slot outside the table.
at::Tensor memory_bag(const QuantizedRows& table, const at::Tensor& slots, const at::Tensor& weights);

/// The gradient of `weights` [N, M] float32: scale times the dot product of grad_output[t] with the codes of row
/// slots[t, j], which is summed in the order of column_blocks.h.
at::Tensor memory_bag_weight_gradient(const QuantizedRows& table, const at::Tensor& slots,
                                      const at::Tensor& grad_output);

}  // namespace memlayers::ops
