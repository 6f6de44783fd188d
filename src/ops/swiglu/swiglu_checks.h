// The checks that the CPU's and CUDA's side of swiglu share.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"

namespace memlayers::ops {

inline void check_swiglu(const at::Tensor& gate, const at::Tensor& up, at::DeviceType device) {
  const at::ScalarType dtype = gate.scalar_type();
  base::check(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble,
              "swiglu: gate must be float32, bfloat16 or float64, got ", gate.dtype());
  base::check(up.sizes() == gate.sizes() && up.scalar_type() == dtype, "swiglu: up must be like gate ", gate.sizes(),
              " ", gate.dtype(), ", got ", up.sizes(), " ", up.dtype());
  base::check(gate.device().type() == device && up.device() == gate.device(), "swiglu: gate and up must be on one ",
              device, " device, got ", gate.device(), " and ", up.device());
}

inline void check_swiglu_grad(const at::Tensor& grad, const at::Tensor& gate) {
  base::check(
      grad.sizes() == gate.sizes() && grad.scalar_type() == gate.scalar_type() && grad.device() == gate.device(),
      "swiglu_backward: grad must be like gate ", gate.sizes(), " ", gate.dtype(), ", got ", grad.sizes(), " ",
      grad.dtype(), " on ", grad.device());
}

}  // namespace memlayers::ops
