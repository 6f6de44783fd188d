// The checks, and what kernels are told, that the CPU's and CUDA's side of rotary share.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>

#include "base/error.h"
#include "ops/rotary/rotary_kernel.h"

namespace memlayers::ops {

inline void check_angles(const char* name, const at::Tensor& angles, int64_t half, at::Device device) {
  base::check(angles.dim() == 2 && angles.size(1) == half && angles.scalar_type() == at::kFloat &&
                  angles.is_contiguous() && angles.device() == device,
              "rotary: ", name, " must be [P, ", half, "] float32, contiguous and on ", device, ", got ",
              angles.sizes(), " ", angles.dtype(), " on ", angles.device(), ", strides ", angles.strides());
}

inline void check_rotary(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start,
                         at::DeviceType device) {
  const at::ScalarType dtype = x.scalar_type();
  base::check(
      x.dim() == 4 && x.size(3) % 2 == 0 && (dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble),
      "rotary: x must be [B, T, H, D] float32, bfloat16 or float64 with an even D, got ", x.sizes(), " ", x.dtype());
  base::check(x.device().type() == device, "rotary: x must be on a ", device, " device, got ", x.device());
  check_angles("cosine", cosine, x.size(3) / 2, x.device());
  check_angles("sine", sine, x.size(3) / 2, x.device());
  const int64_t known = std::min(cosine.size(0), sine.size(0)), length = x.size(1);
  base::check(start >= 0 && length <= known && start <= known - length, "rotary: positions ", start, " .. ",
              start + length, " are not all among the ", known, " that cosine and sine hold");
}

inline RotaryProblem rotary_problem(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine,
                                    int64_t start, bool inverse) {
  const int64_t half = x.size(3) / 2;
  return {.length = x.size(1),
          .heads = x.size(2),
          .half = half,
          .cosine = cosine.const_data_ptr<float>() + start * half,
          .sine = sine.const_data_ptr<float>() + start * half,
          .direction = inverse ? -1.0f : 1.0f};
}

}  // namespace memlayers::ops
