#include "ops/memory_decode/memory_decode_reference.h"

#include <ATen/ATen.h>

#include "ops/memory_bag/memory_bag_reference.h"
#include "ops/product_key_topk/product_key_topk_reference.h"
#include "ops/rms_norm/rms_norm_reference.h"
#include "ops/swiglu/swiglu_reference.h"

namespace memlayers::ops {

DecodedMemory decode_memory_reference(const at::Tensor& x, const MemoryWeights& weights, const at::Tensor& table) {
  const int64_t heads = weights.sub_keys.size(0), half = weights.sub_keys.size(3);
  at::Tensor query = at::linear(x, weights.query.weight, weights.query.bias).view({-1, heads, 2, half});
  if (weights.query_scale) query = rms_norm_reference(query, *weights.query_scale, weights.eps);
  const TopK best = product_key_topk_reference(query.reshape({-1, heads, 2 * half}), weights.sub_keys, weights.k);
  const at::Tensor slots = best.slots.reshape({-1, heads * weights.k});
  const at::Tensor softmax = at::softmax(best.scores, -1).reshape(slots.sizes());
  at::Tensor y = memory_bag_reference(table, slots, softmax).to(x.scalar_type());
  if (weights.gate) y = swiglu_reference(at::linear(x, weights.gate->weight, weights.gate->bias), y);
  if (weights.out) y = at::linear(y, weights.out->weight, weights.out->bias);
  return {y, slots, softmax};
}

}  // namespace memlayers::ops
