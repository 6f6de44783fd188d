// What may stand beside the k best slots of a head: random ones in training, a sink. Paper, Table 3.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::layers {

/// `best` with `count` more slots for each token and head, drawn evenly from all n*n; [N, H, k + count], the drawn ones
/// last. One that is among the k best, or is drawn twice, stands twice. Scores as product_key_topk's, differentiable in
/// query [N, H, K] and sub_keys [H, 2, n, K/2]. The slots are a function of (key, token, head).
ops::TopK add_random_slots(const ops::TopK& best, const at::Tensor& query, const at::Tensor& sub_keys, int64_t count,
                           uint64_t key);

/// [N, H, 1]: the score of one key a head, sink_key [H, 2, K/2], that takes part in the softmax of every token.
at::Tensor sink_scores(const at::Tensor& query, const at::Tensor& sink_key);

}  // namespace memlayers::layers
