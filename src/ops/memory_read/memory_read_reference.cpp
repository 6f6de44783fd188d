#include "ops/memory_read/memory_read_reference.h"

#include <ATen/ATen.h>

#include "ops/memory_bag/memory_bag.h"
#include "ops/rms_norm/rms_norm.h"

namespace memlayers::ops {

at::Tensor read_memory_reference(const at::Tensor& query, const std::optional<at::Tensor>& norm_weight, double eps,
                                 const PackedSubKeys& sub_keys, int64_t k, const at::Tensor& table) {
  const int64_t tokens = query.size(0), heads = query.size(1), key_dim = query.size(2);
  at::Tensor queries = query;
  if (norm_weight) {
    queries = rms_norm(query.view({tokens, heads, 2, key_dim / 2}), *norm_weight, eps).view(query.sizes());
  }
  const TopK best = product_key_topk(queries, sub_keys, k);
  const at::Tensor weights = at::softmax(best.scores, -1);
  return memory_bag(table, best.slots.view({tokens, heads * k}), weights.view({tokens, heads * k}), nullptr);
}

}  // namespace memlayers::ops
