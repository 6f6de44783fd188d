// The checks, and what kernels are told, that the CPU's and CUDA's side of rms_norm share.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "ops/rms_norm/rms_norm_kernel.h"

namespace memlayers::ops {

/// Row r of x meets weight row (r / inner) % groups.
struct WeightLayout {
  int64_t inner = 1, groups = 1;
};

// From the right: dimensions that the weight lacks (inner), those it has (groups), and again those it lacks.
inline WeightLayout weight_layout(const at::Tensor& x, const at::Tensor& weight, at::DeviceType device) {
  base::check(x.dim() > 0 && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble),
              "rms_norm: x must be [.., D] float32 or float64, got ", x.sizes(), " ", x.dtype());
  base::check(weight.scalar_type() == x.scalar_type(), "rms_norm: weight must have x's dtype ", x.dtype(), ", got ",
              weight.dtype());
  base::check(x.device().type() == device && weight.device() == x.device(), "rms_norm: x and weight must be on one ",
              device, " device, got ", x.device(), " and ", weight.device());
  WeightLayout layout;
  bool fits = weight.dim() > 0 && weight.dim() <= x.dim() && weight.size(-1) == x.size(-1);
  if (fits) {
    const int64_t lacking = x.dim() - weight.dim();
    int64_t dim = weight.dim() - 2;
    for (; dim >= 0 && weight.size(dim) == 1; --dim) layout.inner *= x.size(dim + lacking);
    for (; dim >= 0 && weight.size(dim) == x.size(dim + lacking); --dim) layout.groups *= weight.size(dim);
    for (; dim >= 0 && weight.size(dim) == 1; --dim) {}
    fits = dim < 0;
  }
  base::check(fits, "rms_norm: weight must be [D] or broadcast to x ", x.sizes(),
              " with its dimensions side by side, got ", weight.sizes());
  return layout;
}

inline int64_t row_count(const at::Tensor& x) { return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1); }

inline void check_rms_backward(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& inverse_root) {
  base::check(grad.sizes() == x.sizes() && grad.scalar_type() == x.scalar_type() && grad.device() == x.device(),
              "rms_norm_backward: grad must be like x ", x.sizes(), " ", x.dtype(), ", got ", grad.sizes(), " ",
              grad.dtype(), " on ", grad.device());
  base::check(inverse_root.numel() == row_count(x) && inverse_root.scalar_type() == x.scalar_type() &&
                  inverse_root.device() == x.device(),
              "rms_norm_backward: inverse_root must be [", row_count(x), "] ", x.dtype(), ", got ",
              inverse_root.sizes(), " ", inverse_root.dtype(), " on ", inverse_root.device());
}

/// x and weight contiguous.
template <class T>
RmsProblem<T> rms_problem(const at::Tensor& x, const at::Tensor& weight, const WeightLayout& layout) {
  return {.size = x.size(-1),
          .inner = layout.inner,
          .groups = layout.groups,
          .x = x.const_data_ptr<T>(),
          .weight = weight.const_data_ptr<T>()};
}

}  // namespace memlayers::ops
