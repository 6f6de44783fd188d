// rms_norm on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/rms_norm/rms_norm_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <tuple>

#include "ops/cuda/device_type.h"
#include "ops/rms_norm/rms_norm_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

using TwoTensors = std::tuple<at::Tensor, at::Tensor>;

TwoTensors forward(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const WeightLayout layout = weight_layout(x, weight, kDeviceType);
  const c10::DeviceGuard guard(x.device());
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options()), inverse_root = at::empty({row_count(x)}, x.options());
  const auto run = [&]<class T>(T) {
    RmsProblem<T> problem = rms_problem<T>(rows, weights, layout);
    problem.eps = eps;
    rms_forward(problem, y.mutable_data_ptr<T>(), inverse_root.mutable_data_ptr<T>(), inverse_root.numel(),
                current_stream());
  };
  if (x.numel() > 0) x.scalar_type() == at::kDouble ? run(double{}) : run(float{});
  return {y, inverse_root};
}

TwoTensors backward(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                    const at::Tensor& inverse_root) {
  const WeightLayout layout = weight_layout(x, weight, kDeviceType);
  check_rms_backward(grad, x, inverse_root);
  const c10::DeviceGuard guard(x.device());
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous(), gradient = grad.contiguous();
  const at::Tensor root = inverse_root.contiguous();
  at::Tensor grad_x = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return {grad_x, at::zeros(weight.sizes(), weight.options())};
  at::Tensor grad_weight = at::empty(weight.sizes(), weight.options());
  const int64_t count = root.numel(), block_rows = rms_block_rows(x.size(-1), layout.groups);
  const at::Tensor partial =
      at::empty({(count + block_rows - 1) / block_rows * layout.groups * x.size(-1)}, x.options());
  const auto run = [&]<class T>(T) {
    RmsProblem<T> problem = rms_problem<T>(rows, weights, layout);
    problem.inverse_root = root.const_data_ptr<T>();
    rms_backward(problem, gradient.const_data_ptr<T>(), grad_x.mutable_data_ptr<T>(), partial.mutable_data_ptr<T>(),
                 grad_weight.mutable_data_ptr<T>(), count, current_stream());
  };
  x.scalar_type() == at::kDouble ? run(double{}) : run(float{});
  return {grad_x, grad_weight};
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("rms_norm", forward);
  library.impl("rms_norm_backward", backward);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
