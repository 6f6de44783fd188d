// rotary on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/rotary/rotary_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/cuda/device_type.h"
#include "ops/rotary/rotary_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

template <class Row>
void run(const RotaryProblem& problem, const at::Tensor& x, const at::Tensor& y) {
  turn_rows(problem, static_cast<const Row*>(x.const_data_ptr()), static_cast<Row*>(y.mutable_data_ptr()),
            x.size(0) * x.size(1), current_stream());
}

at::Tensor rotary_on_device(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start,
                            bool inverse) {
  check_rotary(x, cosine, sine, start, kDeviceType);
  const c10::DeviceGuard guard(x.device());
  at::Tensor y = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return y;
  const at::Tensor packed = x.contiguous();
  const RotaryProblem problem = rotary_problem(x, cosine, sine, start, inverse);
  switch (x.scalar_type()) {
    case at::kDouble:
      run<double>(problem, packed, y);
      break;
    case at::kBFloat16:
      run<uint16_t>(problem, packed, y);
      break;
    default:
      run<float>(problem, packed, y);
  }
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) { library.impl("rotary", rotary_on_device); }

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
