// The dense feed-forward: SwiGLU (Shazeer 2020).
#pragma once

#include "layers/linear.h"

namespace memlayers::layers {

class FeedForward {
 public:
  FeedForward(int64_t hidden, int64_t intermediate, bool bias = false);

  /// down(silu(gate(x)) * up(x)): x [.., d] -> [.., d] in x's dtype.
  at::Tensor forward(const at::Tensor& x) const;
  /// Appends NAME.{gate,up,down}_proj.weight and, where there are some, the biases.
  void collect(const std::string& name, ParameterList& list);
  /// As Linear::freeze().
  void freeze(at::ScalarType dtype);

 private:
  int64_t hidden_, intermediate_;
  Linear gate_, up_, down_;
};

}  // namespace memlayers::layers
