// One block: h = x + Attention(RMSNorm(x)); out = h + FeedForwardOrMemory(RMSNorm(h)). Beside, both are added.
#pragma once

#include <optional>

#include "layers/attention.h"
#include "layers/feed_forward.h"
#include "layers/key_value_cache.h"
#include "layers/memory_layer.h"

namespace memlayers::layers {

class Block {
 public:
  /// At least one of `feed_forward` and `memory` is there.
  Block(int64_t index, double norm_eps, const AttentionShape& shape, std::optional<FeedForward> feed_forward,
        std::optional<MemoryLayer> memory);

  /// x [B, T, d] float32 (the residual stream stays wide whatever the compute dtype) -> the same.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;
  /// Appends NAME.{self_attn,mlp,memory,input_layernorm,post_attention_layernorm}...
  void collect(const std::string& name, ParameterList& parameters, ParameterList& buffers);

 private:
  int64_t index_;
  RmsNorm input_norm_, post_attention_norm_;
  Attention attention_;
  std::optional<FeedForward> feed_forward_;
  std::optional<MemoryLayer> memory_;
};

}  // namespace memlayers::layers
