#include "layers/feed_forward.h"

#include "ops/swiglu/swiglu.h"

namespace memlayers::layers {

FeedForward::FeedForward(int64_t hidden, int64_t intermediate, bool bias)
    : hidden_(hidden),
      intermediate_(intermediate),
      gate_(hidden, intermediate, bias),
      up_(hidden, intermediate, bias),
      down_(intermediate, hidden, bias) {}

at::Tensor FeedForward::forward(const at::Tensor& x) const {
  return down_.forward(ops::swiglu(gate_.forward(x), up_.forward(x)));
}

void FeedForward::collect(const std::string& name, ParameterList& list) {
  const Initializer in = Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(hidden_)));
  const Initializer out = Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(intermediate_)));
  gate_.collect(name + ".gate_proj", in, list);
  up_.collect(name + ".up_proj", in, list);
  down_.collect(name + ".down_proj", out, list);
}

void FeedForward::freeze(at::ScalarType dtype) {
  for (Linear* linear : {&gate_, &up_, &down_}) linear->freeze(dtype);
}

}  // namespace memlayers::layers
