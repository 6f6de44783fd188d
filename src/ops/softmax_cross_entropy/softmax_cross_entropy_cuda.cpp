// softmax_cross_entropy on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/softmax_cross_entropy/softmax_cross_entropy_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/cuda/device_type.h"
#include "ops/cuda/slot_check.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

/// Checks, and calls run(T{}, targets, losses, stream).
template <class Run>
at::Tensor losses_by(const at::Tensor& logits, const at::Tensor& targets, const Run& run) {
  check_logits(logits, targets, kDeviceType);
  const c10::DeviceGuard guard(logits.device());
  const Stream stream = current_stream();
  const at::Tensor target = checked_slots(targets.contiguous(), logits.size(1), stream, throw_target_outside);
  at::Tensor losses = at::empty({logits.size(0)}, logits.options());
  if (logits.scalar_type() == at::kDouble) {
    run(double{}, target, losses, stream);
  } else {
    run(float{}, target, losses, stream);
  }
  return losses;
}

at::Tensor losses_of(const at::Tensor& logits, const at::Tensor& targets) {
  return losses_by(logits, targets, [&]<class T>(T, const at::Tensor& target, at::Tensor& losses, Stream stream) {
    cross_entropy_losses(logits.const_data_ptr<T>(), target.const_data_ptr<int64_t>(), logits.size(1),
                         losses.mutable_data_ptr<T>(), logits.size(0), stream);
  });
}

at::Tensor gradient_of(at::Tensor& logits, const at::Tensor& targets, double scale) {
  return losses_by(logits, targets, [&]<class T>(T, const at::Tensor& target, at::Tensor& losses, Stream stream) {
    cross_entropy_gradient(logits.mutable_data_ptr<T>(), target.const_data_ptr<int64_t>(), logits.size(1), T(scale),
                           losses.mutable_data_ptr<T>(), logits.size(0), stream);
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("softmax_cross_entropy", losses_of);
  library.impl("softmax_cross_entropy_gradient_", gradient_of);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
