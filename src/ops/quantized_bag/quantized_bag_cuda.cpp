// memory_bag of a quantized table on a device. Compiled for CUDA, and once more for the emulation.
#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/cuda/device_type.h"
#include "ops/cuda/slot_check.h"
#include "ops/memory_bag/memory_bag_checks.h"
#include "ops/memory_bag/memory_bag_cuda.h"
#include "ops/quantized_bag/quantized_rows_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

at::Tensor forward(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim, const at::Tensor& slots,
                   const at::Tensor& weights) {
  check_quantized_bag(codes, scales, value_dim, slots, kDeviceType);
  check_weights(at::kFloat, slots, weights);
  const c10::DeviceGuard guard(codes.device());
  const Stream stream = current_stream();
  const at::Tensor weight = weights.contiguous();
  const at::Tensor slot = slots_inside(slots.contiguous(), codes.size(0), stream, throw_slot_outside);
  at::Tensor output = at::empty({slot.size(0), value_dim}, weight.options());
  const auto run = [&]<class Row>(Row) {
    bag_forward(quantized_bag_problem<Row>(codes, scales, value_dim, slot), weight.const_data_ptr<float>(),
                output.mutable_data_ptr<float>(), slot.size(0), stream);
  };
  codes.scalar_type() == at::kChar ? run(int8_t{}) : run(HalfBytes{});
  return output;
}

at::Tensor weight_gradient(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                           const at::Tensor& slots, const at::Tensor& grad_output) {
  check_quantized_bag(codes, scales, value_dim, slots, kDeviceType);
  check_grad_output(value_dim, slots, grad_output);
  check_tree_fits(value_dim);
  const c10::DeviceGuard guard(codes.device());
  const Stream stream = current_stream();
  const at::Tensor grad = grad_output.to(at::kFloat).contiguous();
  const at::Tensor slot = slots_inside(slots.contiguous(), codes.size(0), stream, throw_slot_outside);
  at::Tensor gradient = at::empty(slot.sizes(), grad.options());
  const auto run = [&]<class Row>(Row) {
    bag_weight_gradient(quantized_bag_problem<Row>(codes, scales, value_dim, slot), grad.const_data_ptr<float>(),
                        gradient.mutable_data_ptr<float>(), slot.size(0), stream);
  };
  codes.scalar_type() == at::kChar ? run(int8_t{}) : run(HalfBytes{});
  return gradient;
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("quantized_bag", forward);
  library.impl("quantized_bag_weight_gradient", weight_gradient);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
