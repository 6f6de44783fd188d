// Quantizing and dequantizing on the CPU: once a table, row by row.
#include "ops/quantized_bag/quantized_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "ops/memory_bag/memory_bag_kernel.h"
#include "ops/quantized_bag/quantized_rows_checks.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kRowsPerTask = 64;

/// To nearest even, for magnitudes below 2^22: beyond 1.5 * 2^23 floats are whole numbers.
float round_to_even(float value) {
  constexpr float kWhole = 12582912.0f;
  return (value + kWhole) - kWhole;
}

/// A row's scale; NaN or infinite where the row is not finite.
float row_scale(const float* row, int64_t dim, float largest_code) {
  float largest = 0, zero = 0;
  for (int64_t c = 0; c < dim; ++c) {
    largest = std::max(largest, std::fabs(row[c]));
    zero += row[c] * 0.0f;  // a NaN is lost on max
  }
  return largest / largest_code + zero;
}

void write_codes(const float* row, float scale, float largest_code, int64_t dim, int8_t* codes) {
  for (int64_t c = 0; c < dim; ++c) {
    const float code = scale > 0 ? round_to_even(row[c] / scale) : 0.0f;
    codes[c] = int8_t(std::clamp(code, -largest_code, largest_code));  // a quotient may be off by its rounding
  }
}

void pack_codes(const int8_t* codes, int64_t dim, HalfBytes* row) {
  for (int64_t first = 0; first < dim; first += HalfBytes::kColumns, ++row) {
    for (int64_t i = 0; i < HalfBytes::kColumns / 2; ++i) {
      const auto code_at = [&](int64_t c) { return c < dim ? uint8_t(codes[c]) & 15 : 0; };
      row->byte[i] = uint8_t(code_at(first + i) | code_at(first + HalfBytes::kColumns / 2 + i) << 4);
    }
  }
}

std::tuple<at::Tensor, at::Tensor> quantize_cpu(const at::Tensor& table, int64_t bits) {
  check_quantizable(table, bits);
  const int64_t rows = table.size(0), dim = table.size(1), length = row_code_bytes(dim, bits);
  const float largest_code = bits == 8 ? 127.0f : 7.0f;
  at::Tensor codes = at::empty({rows, length}, bits == 8 ? at::kChar : at::kByte);
  at::Tensor scales = at::empty({rows}, at::kFloat);
  auto* code = static_cast<int8_t*>(codes.mutable_data_ptr());
  float* scale = scales.mutable_data_ptr<float>();
  std::atomic<int64_t> first_bad{rows};
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t first, int64_t last) {
    std::vector<int8_t> unpacked(static_cast<size_t>(dim));
    const at::Tensor values = table.narrow(0, first, last - first).to(at::kFloat).contiguous();
    for (int64_t s = first; s < last; ++s) {
      const float* row = values.const_data_ptr<float>() + (s - first) * dim;
      scale[s] = row_scale(row, dim, largest_code);
      if (!std::isfinite(scale[s])) {
        for (int64_t seen = first_bad; s < seen && !first_bad.compare_exchange_weak(seen, s);) {}
        return;
      }
      write_codes(row, scale[s], largest_code, dim, bits == 8 ? code + s * length : unpacked.data());
      if (bits == 4) pack_codes(unpacked.data(), dim, reinterpret_cast<HalfBytes*>(code + s * length));
    }
  });
  base::check(first_bad == rows, "quantize_rows: row ", first_bad.load(), " is not finite, which has no scale");
  return {codes, scales};
}

at::Tensor dequantize_cpu(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim) {
  check_quantized("dequantize_rows", codes, scales, value_dim, at::kCPU);
  at::Tensor table = at::empty({codes.size(0), value_dim}, at::kFloat);
  float* value = table.mutable_data_ptr<float>();
  const float* scale = scales.const_data_ptr<float>();
  const auto* code = static_cast<const uint8_t*>(codes.const_data_ptr());
  const bool packed = codes.scalar_type() == at::kByte;
  at::parallel_for(0, codes.size(0), kRowsPerTask, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      const uint8_t* row = code + s * codes.size(1);
      for (int64_t c = 0; c < value_dim; ++c) {
        const int number = packed ? half_byte_code(row, c) : int8_t(row[c]);
        value[s * value_dim + c] = scale[s] * float(number);
      }
    }
  });
  return table;
}

using Quantized = std::tuple<at::Tensor, at::Tensor>;

}  // namespace

QuantizedRows quantize_rows(const at::Tensor& table, int64_t bits) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::quantize_rows", "")
                             .typed<Quantized(const at::Tensor&, int64_t)>();
  auto [codes, scales] = op.call(table, bits);
  return {codes, scales, table.size(1)};
}

at::Tensor dequantize_rows(const QuantizedRows& rows) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::dequantize_rows", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, int64_t)>();
  return op.call(rows.codes, rows.scales, rows.value_dim);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("quantize_rows(Tensor table, int bits) -> (Tensor codes, Tensor scales)");
  library.def("dequantize_rows(Tensor codes, Tensor scales, int value_dim) -> Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("quantize_rows", quantize_cpu);
  library.impl("dequantize_rows", dequantize_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) { without_gradient(library, {"dequantize_rows", "quantize_rows"}); }

}  // namespace memlayers::ops
