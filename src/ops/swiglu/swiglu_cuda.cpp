// swiglu on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/swiglu/swiglu_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <tuple>

#include "ops/cuda/device_type.h"
#include "ops/swiglu/swiglu_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

/// Calls run(Row{}) with the element of the dtype.
template <class Run>
void with_row(at::ScalarType dtype, const Run& run) {
  switch (dtype) {
    case at::kDouble:
      return run(double{});
    case at::kBFloat16:
      return run(uint16_t{});
    default:
      return run(float{});
  }
}

template <class Row>
const Row* in(const at::Tensor& tensor) {
  return static_cast<const Row*>(tensor.const_data_ptr());
}
template <class Row>
Row* out(const at::Tensor& tensor) {
  return static_cast<Row*>(tensor.mutable_data_ptr());
}

at::Tensor forward(const at::Tensor& gate, const at::Tensor& up) {
  check_swiglu(gate, up, kDeviceType);
  const c10::DeviceGuard guard(gate.device());
  const at::Tensor g = gate.contiguous(), u = up.contiguous();
  at::Tensor y = at::empty(gate.sizes(), gate.options());
  with_row(gate.scalar_type(),
           [&]<class Row>(Row) { swiglu_forward(in<Row>(g), in<Row>(u), out<Row>(y), y.numel(), current_stream()); });
  return y;
}

std::tuple<at::Tensor, at::Tensor> backward(const at::Tensor& grad, const at::Tensor& gate, const at::Tensor& up) {
  check_swiglu(gate, up, kDeviceType);
  check_swiglu_grad(grad, gate);
  const c10::DeviceGuard guard(gate.device());
  const at::Tensor d = grad.contiguous(), g = gate.contiguous(), u = up.contiguous();
  at::Tensor grad_gate = at::empty(gate.sizes(), gate.options()), grad_up = at::empty(gate.sizes(), gate.options());
  with_row(gate.scalar_type(), [&]<class Row>(Row) {
    swiglu_backward(in<Row>(d), in<Row>(g), in<Row>(u), out<Row>(grad_gate), out<Row>(grad_up), gate.numel(),
                    current_stream());
  });
  return {grad_gate, grad_up};
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("swiglu", forward);
  library.impl("swiglu_backward", backward);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
