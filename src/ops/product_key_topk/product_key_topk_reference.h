// product_key_topk from its definition, as a composition of ATen operations: every one of the n * n scores is made and
// sorted. Gradients of everything by autograd; memory N * H * n * n, so for tests and small sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::ops {

/// Shapes, dtypes and the tie rule as in product_key_topk.h.
TopK product_key_topk_reference(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k);

}  // namespace memlayers::ops
