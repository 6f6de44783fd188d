// memory_bag on a device: the checks of the contract, memory, launches. Compiled for CUDA, and once more for the
// emulation, where the device is the host and these take the place of the CPU kernels.
#include "ops/memory_bag/memory_bag_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/cuda/device_type.h"
#include "ops/cuda/slot_check.h"
#include "ops/memory_bag/memory_bag_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

template <class Row, class T>
void run_forward(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights, const at::Tensor& output,
                 Stream stream) {
  bag_forward(bag_problem<Row, T>(table, slots), weights.const_data_ptr<T>(),
              static_cast<Row*>(output.mutable_data_ptr()), slots.size(0), stream);
}

at::Tensor forward(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
  check_table_and_slots(table, slots, kDeviceType);
  check_weights(table.scalar_type(), slots, weights);
  const c10::DeviceGuard guard(table.device());
  const Stream stream = current_stream();
  const at::Tensor weight = weights.contiguous();
  const at::Tensor slot = slots_inside(slots.contiguous(), table.size(0), stream, throw_slot_outside);
  at::Tensor output = at::empty({slot.size(0), table.size(1)}, table.options());
  switch (table.scalar_type()) {
    case at::kDouble:
      run_forward<double, double>(table, slot, weight, output, stream);
      break;
    case at::kBFloat16:
      run_forward<uint16_t, float>(table, slot, weight, output, stream);
      break;
    default:
      run_forward<float, float>(table, slot, weight, output, stream);
  }
  return output;
}

template <class Row, class T>
void run_weight_gradient(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output,
                         const at::Tensor& gradient, Stream stream) {
  bag_weight_gradient(bag_problem<Row, T>(table, slots), grad_output.const_data_ptr<T>(),
                      gradient.mutable_data_ptr<T>(), slots.size(0), stream);
}

at::Tensor weight_gradient(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output) {
  check_table_and_slots(table, slots, kDeviceType);
  check_grad_output(table.size(1), slots, grad_output);
  check_tree_fits(table.size(1));
  const c10::DeviceGuard guard(table.device());
  const Stream stream = current_stream();
  const at::Tensor grad = grad_output.to(weight_dtype(table)).contiguous();
  const at::Tensor slot = slots_inside(slots.contiguous(), table.size(0), stream, throw_slot_outside);
  at::Tensor gradient = at::empty(slot.sizes(), grad.options());
  switch (table.scalar_type()) {
    case at::kDouble:
      run_weight_gradient<double, double>(table, slot, grad, gradient, stream);
      break;
    case at::kBFloat16:
      run_weight_gradient<uint16_t, float>(table, slot, grad, gradient, stream);
      break;
    default:
      run_weight_gradient<float, float>(table, slot, grad, gradient, stream);
  }
  return gradient;
}

void check_recorded(const at::Tensor& table) {
  const c10::DeviceGuard guard(table.device());
  const Stream stream = current_stream();
  wait_for_findings(table.options(), stream, [&](SlotFindings* on_device) { take_note(on_device, stream); });
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("memory_bag", forward);
  library.impl("memory_bag_weight_gradient", weight_gradient);
  library.impl("check_recorded_bags", check_recorded);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
