// The least that a bag of quantized rows and the gradient of its weights do.
#include <ATen/ATen.h>

#include "ops/op_work.h"

namespace memlayers::ops {
namespace {

/// (codes [S, bytes of a row], scales [S], D, slots [N, M], weights [N, M] or output gradients [N, D]): codes and a
/// scale for every slot.
OpWork quantized_bag_work(const OpCall& call) {
  const at::Tensor codes = call.inputs[0].toTensor(), scales = call.inputs[1].toTensor();
  const double reads = double(call.inputs[3].toTensor().numel());
  OpWork work{2 * reads * double(call.inputs[2].toInt()), 0, bytes_of(call.inputs.slice(3)), bytes_of(call.outputs), 0};
  work.gathered_bytes = reads * double(codes.size(1) * codes.element_size() + scales.element_size());
  return work;
}

const StatesWork bag("memlayers::quantized_bag", op_groups::kBag, quantized_bag_work);
const StatesWork weight_gradient("memlayers::quantized_bag_weight_gradient", op_groups::kBag, quantized_bag_work);

}  // namespace
}  // namespace memlayers::ops
