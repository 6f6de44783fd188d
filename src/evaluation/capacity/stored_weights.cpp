#include "evaluation/capacity/stored_weights.h"

#include <ATen/ATen.h>

#include "model/transformer.h"
#include "ops/quantized_bag/quantized_rows.h"

namespace memlayers::evaluation {
namespace {

constexpr int64_t kRowsAtOnce = 1 << 16;  // so that a large table has no second copy

/// Rounds rows [R, D] in place. Returns the bytes they take.
int64_t store_rows(const at::Tensor& rows, int64_t bits) {
  int64_t bytes = 0;
  for (int64_t begin = 0; begin < rows.size(0); begin += kRowsAtOnce) {
    const at::Tensor part = rows.slice(0, begin, std::min(rows.size(0), begin + kRowsAtOnce));
    const ops::QuantizedRows quantized = ops::quantize_rows(part, bits);
    part.copy_(ops::dequantize_rows(quantized));
    bytes += static_cast<int64_t>(quantized.codes.nbytes() + quantized.scales.nbytes());
  }
  return bytes;
}

/// Rounds a matrix, or matrices on end, in place. Returns the bytes it takes.
int64_t store(const at::Tensor& weight, results::StoredFormat format) {
  const at::Tensor rows = weight.detach().view({-1, weight.size(-1)});
  switch (format) {
    case results::StoredFormat::kFloat32:
      break;
    case results::StoredFormat::kBFloat16:
      for (int64_t begin = 0; begin < rows.size(0); begin += kRowsAtOnce) {
        const at::Tensor part = rows.slice(0, begin, std::min(rows.size(0), begin + kRowsAtOnce));
        part.copy_(part.to(at::kBFloat16));
      }
      return 2 * rows.numel();
    case results::StoredFormat::kInt8:
      return store_rows(rows, 8);
    case results::StoredFormat::kInt4:
      return store_rows(rows, 4);
  }
  return 4 * rows.numel();
}

bool is_embedding(const std::string& name) { return name == "model.embed_tokens.weight" || name == "lm_head.weight"; }

bool is_matrix(const layers::Parameter& parameter) {
  return parameter.tensor->dim() >= 2 && !parameter.name.ends_with("norm.weight");
}

}  // namespace

results::StoredSize store_weights(model::Transformer& model, results::StoredFormat tables,
                                  results::StoredFormat weights) {
  const at::NoGradGuard no_grad;
  results::StoredSize size;
  for (const layers::Parameter& parameter : model.parameters()) {
    const int64_t count = parameter.tensor->numel();
    size.parameters += count;
    if (!is_embedding(parameter.name)) size.non_embedding += count;
    size.bytes += is_matrix(parameter) ? store(*parameter.tensor, weights) : 4 * count;
  }
  for (const layers::Parameter& buffer : model.buffers()) size.bytes += 4 * buffer.tensor->numel();
  for (const auto& [name, table] : model.tables()) {
    const at::Tensor& rows = layers::local_table(*table, "rounding in place").weight();
    size.table_parameters += rows.numel();
    size.table_bytes += store(rows, tables);
  }
  size.parameters += size.table_parameters;
  size.non_embedding += size.table_parameters;
  size.bytes += size.table_bytes;
  return size;
}

}  // namespace memlayers::evaluation
