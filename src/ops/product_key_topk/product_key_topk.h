// Exact top-k over product keys.
//
// A slot's score is the sum of two dot products, query half 1 with sub-key i1 and query half 2 with sub-key i2, and its
// index is i1 * n + i2. The k best of all n * n slots are found from the k best of each half: with both halves sorted
// (rank from 1), a pair of ranks (i, j) has i * j - 1 pairs at least as good, so only pairs with i * j <= k can be
// among the k best (119 of 1,024 for k = 32). Paper section 3, eq. 1.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

struct TopK {
  at::Tensor scores;  // [N, H, k] float32 (float64 for float64 inputs), descending, before the softmax
  at::Tensor slots;   // [N, H, k] int64 in [0, n * n)
};

/// The k slots with the highest scores, per token and head.
///
/// query [N, H, K]; sub_keys [H, 2, n, K/2]; both float32, bfloat16 or float64 and of one dtype; any strides.
/// Scores are computed in float32 (float64 for float64), no scaling. Tie rule: higher score first, among equal scores
/// the lower slot. A NaN score counts as minus infinity. N may be 0.
/// Differentiable in query and sub_keys through scores, not in slots; no [N, H, n] gradient is ever made. Results
/// do not depend on the number of threads.
/// Throws base::UsageError: shapes that do not fit, odd K, k < 1, k > n * n, mixed dtypes.
TopK product_key_topk(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k);

/// Sub-keys in the order in which they are multiplied. product_key_topk packs them at each call, which costs a copy;
/// where the same sub-keys meet few tokens many times (decoding), they are packed once.
struct PackedSubKeys {
  at::Tensor panels;  // [H * 2 * num_panels, K/2, 32] float32 (float64)
  int64_t heads = 0, num_sub_keys = 0;
};

/// sub_keys [H, 2, n, K/2] as above. A copy: later changes of sub_keys do not show.
PackedSubKeys pack_sub_keys(const at::Tensor& sub_keys);

/// The same result, bit for bit, as with the sub-keys that were packed; query must have their dtype of scores. Not
/// differentiable.
TopK product_key_topk(const at::Tensor& query, const PackedSubKeys& sub_keys, int64_t k);

}  // namespace memlayers::ops
