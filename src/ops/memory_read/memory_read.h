// What a memory layer reads for its queries, in one call: for decoding, where a token's selection takes less time than the
// calls that it is made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::ops {

/// The bags' outputs [N, D] in the table's dtype: rms_norm of each half of the query with `norm_weight` (where there is
/// one), product_key_topk, softmax over each head's k scores, memory_bag with the heads' bags one after another. Bit for
/// bit what those ops give one by one.
///
/// query [N, H, K] float32 or float64; norm_weight [2, K/2] of its dtype; sub_keys of that dtype; table [S, D], S = n * n,
/// with weights of that dtype: float32, bfloat16 or float64. N may be 0. On the CPU, small layers (kSmallProducts) go token
/// by token through all of it; everything else is the composition.
/// Not differentiable, and leaves no records.
/// Throws base::UsageError: shapes or dtypes that do not fit.
at::Tensor read_memory(const at::Tensor& query, const std::optional<at::Tensor>& norm_weight, double eps,
                       const PackedSubKeys& sub_keys, int64_t k, const at::Tensor& table);

}  // namespace memlayers::ops
