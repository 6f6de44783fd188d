#include "layers/attention.h"

#include <ATen/ATen.h>

namespace memlayers::layers {
namespace {

// Additive mask for queries at positions start .. start + T - 1 among start + T keys.
at::Tensor continued_mask(int64_t start, int64_t length, const at::TensorOptions& options) {
  const at::Tensor mask = at::full({length, start + length}, -std::numeric_limits<double>::infinity(), options);
  return at::triu(mask, start + 1);
}

}  // namespace

Attention::Attention(const AttentionShape& shape)
    : shape_(shape),
      query_(shape.hidden, shape.heads * shape.head_dim, shape.bias),
      key_(shape.hidden, shape.key_value_heads * shape.head_dim, shape.bias),
      value_(shape.hidden, shape.key_value_heads * shape.head_dim, shape.bias),
      out_(shape.heads * shape.head_dim, shape.hidden, shape.output_bias) {
  if (!shape.head_norm_eps) return;
  query_norm_.emplace(shape.head_dim, *shape.head_norm_eps);
  key_norm_.emplace(shape.head_dim, *shape.head_norm_eps);
}

at::Tensor Attention::forward(const at::Tensor& x, int64_t layer, const ForwardContext& context) const {
  const int64_t batch = x.size(0), length = x.size(1);
  const int64_t start = context.cache ? context.cache->length() : 0;
  auto split = [&](const at::Tensor& y, int64_t heads) { return y.view({batch, length, heads, shape_.head_dim}); };
  const auto normed = [](const std::optional<RmsNorm>& norm, const at::Tensor& y) {
    return norm ? norm->forward(y, y.scalar_type()) : y;
  };
  // Laid out as projected, [B, T, heads, head_dim], to the end: the fused kernel reads strides, writes its output and
  // its gradients in that order, and takes [B, heads, T, head_dim] for the shape.
  const at::Tensor query =
      context.rotary->forward(normed(query_norm_, split(query_.forward(x), shape_.heads)), start).transpose(1, 2);
  at::Tensor key =
      context.rotary->forward(normed(key_norm_, split(key_.forward(x), shape_.key_value_heads)), start).transpose(1, 2);
  at::Tensor value = split(value_.forward(x), shape_.key_value_heads).transpose(1, 2);
  if (context.cache) std::tie(key, value) = context.cache->append(layer, key, value);
  // A single new position sees everything; from position 0 the fused kernel masks by itself.
  std::optional<at::Tensor> mask;
  if (start > 0 && length > 1) mask = continued_mask(start, length, query.options());
  // Each key head serves a group of neighboring query heads; the kernel looks it up, nothing is repeated.
  const bool grouped = shape_.heads != shape_.key_value_heads;
  const at::Tensor read =
      at::scaled_dot_product_attention(query, key, value, mask, 0.0, start == 0 && length > 1, std::nullopt, grouped);
  return out_.forward(read.transpose(1, 2).reshape({batch, length, shape_.heads * shape_.head_dim}));
}

void Attention::collect(const std::string& name, ParameterList& list) {
  const Initializer initializer = Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(shape_.hidden)));
  query_.collect(name + ".q_proj", initializer, list);
  key_.collect(name + ".k_proj", initializer, list);
  value_.collect(name + ".v_proj", initializer, list);
  out_.collect(name + ".o_proj", initializer, list);
  if (query_norm_) query_norm_->collect(name + ".q_norm", list);
  if (key_norm_) key_norm_->collect(name + ".k_norm", list);
}

void Attention::freeze(at::ScalarType dtype) {
  for (Linear* linear : {&query_, &key_, &value_, &out_}) linear->freeze(dtype);
}

}  // namespace memlayers::layers
