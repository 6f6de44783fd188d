// The least that selection and its gradient do.
#include <ATen/ATen.h>

#include "ops/op_work.h"

namespace memlayers::ops {
namespace {

/// (query [N, H, K], sub-keys [H, 2, n, K / 2], k): a dot product of each query with all n sub-keys of both halves.
OpWork selection_work(const OpCall& call) {
  const at::Tensor query = call.inputs[0].toTensor();
  return with_flops(pass_work(call), query, 2 * double(query.numel()) * double(call.inputs[1].toTensor().size(2)));
}

/// (score gradients [N, H, k], slots, query [N, H, K], sub-keys, for queries, for sub-keys)
OpWork selection_backward_work(const OpCall& call) {
  const at::Tensor slots = call.inputs[1].toTensor(), query = call.inputs[2].toTensor();
  const double wanted = double(call.inputs[4].toBool()) + double(call.inputs[5].toBool());
  return with_flops(pass_work(call), query, wanted * 2 * double(slots.numel()) * double(query.size(-1)));
}

const StatesWork selection("memlayers::product_key_topk", op_groups::kSelection, selection_work);
const StatesWork backward("memlayers::product_key_topk_backward", op_groups::kSelection, selection_backward_work);

}  // namespace
}  // namespace memlayers::ops
