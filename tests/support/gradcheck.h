// Gradients against central differences in float64.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace memlayers::tests {

using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Largest difference between the gradient by backward and by central differences, over all elements of all inputs,
/// relative to the largest gradient (at least 1). The function's output is reduced with fixed random factors. Inputs
/// must be float64 and so chosen that a change by `step` leaves every selection inside the function as it is.
inline double gradient_error(const TensorFunction& function, const std::vector<at::Tensor>& inputs,
                             double step = 1e-6) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().clone().requires_grad_(true));
  const at::Tensor output = function(leaves);
  at::manual_seed(99);
  const at::Tensor factors = at::randn(output.sizes(), output.options().requires_grad(false));
  (output * factors).sum().backward();

  at::NoGradGuard no_grad;
  double worst = 0, largest = 1;
  for (size_t i = 0; i < leaves.size(); ++i) {
    std::vector<at::Tensor> moved;
    for (const at::Tensor& input : inputs) moved.push_back(input.detach().clone().contiguous());
    double* element = moved[i].mutable_data_ptr<double>();
    const at::Tensor gradient =
        (leaves[i].grad().defined() ? leaves[i].grad() : at::zeros_like(inputs[i])).contiguous();
    for (int64_t e = 0; e < moved[i].numel(); ++e) {
      const double center = element[e];
      element[e] = center + step;
      const double above = (function(moved) * factors).sum().item<double>();
      element[e] = center - step;
      const double below = (function(moved) * factors).sum().item<double>();
      element[e] = center;
      const double analytic = gradient.const_data_ptr<double>()[e];
      worst = std::max(worst, std::abs(analytic - (above - below) / (2 * step)));
      largest = std::max(largest, std::abs(analytic));
    }
  }
  return worst / largest;
}

}  // namespace memlayers::tests
