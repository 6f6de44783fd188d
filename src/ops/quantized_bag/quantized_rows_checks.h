// The checks and small helpers that the ops on quantized rows share, the CPU's and CUDA's.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "ops/memory_bag/memory_bag_kernel.h"

namespace memlayers::ops {

/// Bytes of a row of codes.
inline int64_t row_code_bytes(int64_t value_dim, int64_t bits) {
  return bits == 8 ? value_dim : BagProblem<HalfBytes, float>{.value_dim = value_dim}.row_length() * sizeof(HalfBytes);
}

/// The four-bit code of a column of a packed row.
inline int half_byte_code(const uint8_t* row, int64_t column) {
  const int64_t block = column / HalfBytes::kColumns, place = column % HalfBytes::kColumns, half = sizeof(HalfBytes);
  const int bits = row[block * half + place % half] >> (place < half ? 0 : 4) & 15;
  return bits < 8 ? bits : bits - 16;
}

inline void check_quantizable(const at::Tensor& table, int64_t bits) {
  base::check(bits == 8 || bits == 4, "quantize_rows: bits must be 8 or 4, got ", bits);
  base::check(
      table.dim() == 2 && (table.scalar_type() == at::kFloat || table.scalar_type() == at::kBFloat16) && table.is_cpu(),
      "quantize_rows: table must be [S, D] float32 or bfloat16 on the CPU, got ", table.sizes(), " ", table.dtype(),
      " on ", table.device());
}

inline void check_quantized(const char* op, const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                            at::DeviceType device) {
  const bool packed = codes.scalar_type() == at::kByte;
  base::check(codes.dim() == 2 && (packed || codes.scalar_type() == at::kChar) && codes.is_contiguous(), op,
              ": codes must be contiguous rows of int8, or of uint8 with two codes a byte, got ", codes.sizes(), " ",
              codes.dtype());
  base::check(value_dim >= 0 && codes.size(1) == row_code_bytes(value_dim, packed ? 4 : 8), op, ": a row of ",
              value_dim, " columns is ", row_code_bytes(value_dim, packed ? 4 : 8), " bytes of ", codes.dtype(),
              " codes, got ", codes.size(1));
  base::check(scales.dim() == 1 && scales.size(0) == codes.size(0) && scales.scalar_type() == at::kFloat &&
                  scales.is_contiguous(),
              op, ": scales must be [", codes.size(0), "] float32, contiguous, got ", scales.sizes(), " ",
              scales.dtype());
  base::check(codes.device().type() == device && scales.device() == codes.device(), op,
              ": codes and scales must be on one ", device, " device, got ", codes.device(), " and ", scales.device());
}

inline void check_quantized_bag(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                                const at::Tensor& slots, at::DeviceType device) {
  check_quantized("memory_bag", codes, scales, value_dim, device);
  base::check(slots.dim() == 2 && slots.scalar_type() == at::kLong && slots.device() == codes.device(),
              "memory_bag: slots must be [N, M] int64 on ", codes.device(), ", got ", slots.sizes(), " ", slots.dtype(),
              " on ", slots.device());
}

template <class Row>
BagProblem<Row, float> quantized_bag_problem(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                                             const at::Tensor& slots) {
  return {.bag_size = slots.size(1),
          .value_dim = value_dim,
          .table = static_cast<const Row*>(codes.const_data_ptr()),
          .slots = slots.const_data_ptr<int64_t>(),
          .scales = scales.const_data_ptr<float>()};
}

}  // namespace memlayers::ops
