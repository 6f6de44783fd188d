#include "ops/softmax_cross_entropy/softmax_cross_entropy_reference.h"

#include <ATen/ATen.h>

namespace memlayers::ops {

at::Tensor softmax_cross_entropy_reference(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor chosen = logits.gather(1, targets.unsqueeze(1)).squeeze(1);
  return at::logsumexp(logits, at::IntArrayRef{1}) - chosen;
}

}  // namespace memlayers::ops
