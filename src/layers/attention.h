// Causal self-attention with grouped queries and rotary positions.
#pragma once

#include <optional>

#include "layers/context.h"
#include "layers/linear.h"

namespace memlayers::layers {

struct AttentionShape {
  int64_t hidden = 0, heads = 0, key_value_heads = 0, head_dim = 0;
  bool bias = false;                                   // of the projections of queries, keys and values
  bool output_bias = false;                            // of the one behind them
  std::optional<double> head_norm_eps = std::nullopt;  // queries and keys are normed, head by head, before they rotate
};

class Attention {
 public:
  explicit Attention(const AttentionShape& shape);

  /// x [B, T, d] -> [B, T, d] in x's dtype. With a cache, x continues at its length and sees what it holds.
  at::Tensor forward(const at::Tensor& x, int64_t layer, const ForwardContext& context) const;
  /// Appends NAME.{q,k,v,o}_proj.weight, the biases that there are, and NAME.{q,k}_norm.weight.
  void collect(const std::string& name, ParameterList& list);
  /// As Linear::freeze().
  void freeze(at::ScalarType dtype);

 private:
  AttentionShape shape_;
  Linear query_, key_, value_, out_;
  std::optional<RmsNorm> query_norm_, key_norm_;
};

}  // namespace memlayers::layers
