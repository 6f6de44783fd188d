#include "layers/block.h"

#include <ATen/ATen.h>

#include <cassert>

namespace memlayers::layers {

Block::Block(int64_t index, double norm_eps, const AttentionShape& shape, std::optional<FeedForward> feed_forward,
             std::optional<MemoryLayer> memory)
    : index_(index),
      input_norm_(shape.hidden, norm_eps),
      post_attention_norm_(shape.hidden, norm_eps),
      attention_(shape),
      feed_forward_(std::move(feed_forward)),
      memory_(std::move(memory)) {
  assert(feed_forward_ || memory_);
}

at::Tensor Block::forward(const at::Tensor& x, const ForwardContext& context) const {
  const at::Tensor h = x + attention_.forward(input_norm_.forward(x, context.dtype), index_, context);
  const at::Tensor normed = post_attention_norm_.forward(h, context.dtype);
  at::Tensor out = h;
  if (feed_forward_) out = out + feed_forward_->forward(normed);
  if (memory_) out = out + memory_->forward(normed, context);
  return out;
}

void Block::collect(const std::string& name, ParameterList& parameters, ParameterList& buffers) {
  input_norm_.collect(name + ".input_layernorm", parameters);
  attention_.collect(name + ".self_attn", parameters);
  post_attention_norm_.collect(name + ".post_attention_layernorm", parameters);
  if (feed_forward_) feed_forward_->collect(name + ".mlp", parameters);
  if (memory_) memory_->collect(name + ".memory", parameters, buffers);
}

}  // namespace memlayers::layers
