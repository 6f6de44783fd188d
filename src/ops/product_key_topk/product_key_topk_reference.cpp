#include "ops/product_key_topk/product_key_topk_reference.h"

#include <ATen/ATen.h>

#include <limits>

namespace memlayers::ops {

TopK product_key_topk_reference(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  const int64_t tokens = query.size(0), heads = sub_keys.size(0), half_dim = sub_keys.size(3);
  const auto dtype = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor halves = query.to(dtype).reshape({tokens, heads, 2, half_dim});
  const at::Tensor half_scores = at::einsum("thzd,hznd->thzn", {halves, sub_keys.to(dtype)});
  const at::Tensor sums = (half_scores.select(2, 0).unsqueeze(3) + half_scores.select(2, 1).unsqueeze(2)).flatten(2);
  const double lowest = -std::numeric_limits<double>::infinity();
  const at::Tensor scores = at::where(sums.isnan(), lowest, sums);
  // Stable: equal scores stay in the order of their slots.
  const auto [sorted, order] = scores.sort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  return {sorted.narrow(-1, 0, k), order.narrow(-1, 0, k)};
}

}  // namespace memlayers::ops
