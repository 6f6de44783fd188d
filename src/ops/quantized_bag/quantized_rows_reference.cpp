#include "ops/quantized_bag/quantized_rows_reference.h"

#include <ATen/ATen.h>

#include "ops/memory_bag/memory_bag_reference.h"

namespace memlayers::ops {

at::Tensor quantized_values_reference(const at::Tensor& table, int64_t bits) {
  const at::Tensor scales = table.abs().amax(1, true) / (bits == 8 ? 127 : 7);
  const at::Tensor codes = (table / scales).round() + 0.0;  // a code has no minus zero
  return at::where(scales > 0, codes, at::zeros({}, table.options())) * scales;
}

at::Tensor quantized_bag_reference(const QuantizedRows& table, const at::Tensor& slots, const at::Tensor& weights) {
  const QuantizedRows codes{table.codes, at::ones_like(table.scales), table.value_dim};
  const at::Tensor rows = dequantize_rows(codes).to(at::kDouble) * table.scales.to(at::kDouble).unsqueeze(1);
  return memory_bag_reference(rows, slots, weights.to(at::kDouble));
}

}  // namespace memlayers::ops
