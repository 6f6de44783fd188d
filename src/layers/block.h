// One block: h = x + Attention(RMSNorm(x)); out = h + Rest(RMSNorm(h)), where Rest is the feed-forward, experts, a
// memory layer, or the sum of feed-forward and memory layer (beside). With an n-gram layer x + Ngrams(x) comes in place
// of x first, as in Engram (arXiv 2601.07372, section 2): attention already sees what was looked up.
#pragma once

#include <optional>

#include "layers/attention.h"
#include "layers/feed_forward.h"
#include "layers/key_value_cache.h"
#include "layers/memory_layer.h"
#include "layers/mixture_of_experts.h"
#include "layers/ngram_layer.h"

namespace memlayers::layers {

class Block {
 public:
  /// What follows attention; at least one is there.
  struct Rest {
    std::optional<FeedForward> feed_forward;
    std::optional<MixtureOfExperts> experts;
    std::optional<MemoryLayer> memory;
  };
  Block(int64_t index, double norm_eps, const AttentionShape& shape, Rest rest,
        std::optional<NgramLayer> ngrams = std::nullopt);

  /// x [B, T, d] float32 (the residual stream stays wide whatever the compute dtype) -> the same.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;
  /// Appends NAME.{ngrams,self_attn,mlp,memory,input_layernorm,post_attention_layernorm}...
  void collect(const std::string& name, ParameterList& parameters, ParameterList& buffers);
  /// For good, on a copy: every matrix is cast to `dtype` once, and a memory layer packs what decoding multiplies with.
  void freeze(at::ScalarType dtype);
  bool has_experts() const { return rest_.experts.has_value(); }

 private:
  int64_t index_;
  RmsNorm input_norm_, post_attention_norm_;
  Attention attention_;
  Rest rest_;
  std::optional<NgramLayer> ngrams_;
};

}  // namespace memlayers::layers
