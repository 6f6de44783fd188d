// The least that a bag and the gradient of its weights do.
#include <ATen/ATen.h>

#include "ops/op_work.h"

namespace memlayers::ops {
namespace {

/// (table [S, D], slots [N, M], weights [N, M] or output gradients [N, D]): a row for every slot.
OpWork bag_work(const OpCall& call) {
  const at::Tensor table = call.inputs[0].toTensor(), slots = call.inputs[1].toTensor();
  const double numbers = double(slots.numel()) * double(table.size(1));
  OpWork work{2 * numbers, 0, bytes_of(call.inputs.slice(1)), bytes_of(call.outputs), 0};
  work.gathered_bytes = numbers * double(table.element_size());
  return work;
}

const StatesWork bag("memlayers::memory_bag", op_groups::kBag, bag_work);
const StatesWork weight_gradient("memlayers::memory_bag_weight_gradient", op_groups::kBag, bag_work);

}  // namespace
}  // namespace memlayers::ops
