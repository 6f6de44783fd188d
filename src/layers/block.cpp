#include "layers/block.h"

#include <ATen/ATen.h>

#include <cassert>

namespace memlayers::layers {

Block::Block(int64_t index, double norm_eps, const AttentionShape& shape, Rest rest, std::optional<NgramLayer> ngrams)
    : index_(index),
      input_norm_(shape.hidden, norm_eps),
      post_attention_norm_(shape.hidden, norm_eps),
      attention_(shape),
      rest_(std::move(rest)),
      ngrams_(std::move(ngrams)) {
  assert(rest_.feed_forward || rest_.experts || rest_.memory);
}

at::Tensor Block::forward(const at::Tensor& input, const ForwardContext& context) const {
  const at::Tensor x = ngrams_ ? input + ngrams_->forward(input, context) : input;
  const at::Tensor h = x + attention_.forward(input_norm_.forward(x, context.dtype), index_, context);
  const at::Tensor normed = post_attention_norm_.forward(h, context.dtype);
  at::Tensor out = h;
  if (rest_.feed_forward) out = out + rest_.feed_forward->forward(normed);
  if (rest_.experts) out = out + rest_.experts->forward(normed, context);
  if (rest_.memory) out = out + rest_.memory->forward(normed, context);
  return out;
}

void Block::collect(const std::string& name, ParameterList& parameters, ParameterList& buffers) {
  if (ngrams_) ngrams_->collect(name + ".ngrams", parameters);
  input_norm_.collect(name + ".input_layernorm", parameters);
  attention_.collect(name + ".self_attn", parameters);
  post_attention_norm_.collect(name + ".post_attention_layernorm", parameters);
  if (rest_.feed_forward) rest_.feed_forward->collect(name + ".mlp", parameters);
  if (rest_.experts) rest_.experts->collect(name + ".mlp", parameters);
  if (rest_.memory) rest_.memory->collect(name + ".memory", parameters, buffers);
}

void Block::freeze(at::ScalarType dtype) {
  attention_.freeze(dtype);
  if (ngrams_) ngrams_->freeze(dtype);
  if (rest_.feed_forward) rest_.feed_forward->freeze(dtype);
  if (rest_.experts) rest_.experts->freeze(dtype);
  if (rest_.memory) rest_.memory->freeze(dtype);
}

}  // namespace memlayers::layers
