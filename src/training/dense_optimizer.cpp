#include "training/dense_optimizer.h"

#include <ATen/ATen.h>

namespace memlayers::training {

DenseOptimizer::DenseOptimizer(const layers::ParameterList& parameters, const OptimizerConfig& config)
    : parameters_(parameters), config_(config) {
  for (const layers::Parameter& parameter : parameters) {
    exp_avg_.push_back(at::zeros(parameter.tensor->sizes(), at::kFloat));
    exp_avg_sq_.push_back(at::zeros(parameter.tensor->sizes(), at::kFloat));
  }
}

double DenseOptimizer::squared_norm() const {
  double sum = 0;
  for (const layers::Parameter& parameter : parameters_) {
    const at::Tensor& gradient = parameter.tensor->grad();
    if (!gradient.defined()) continue;
    // In float64, so that the norm of many small tensors does not depend on how they are grouped.
    const double norm = at::linalg_vector_norm(gradient, 2, {}, false, at::kDouble).item<double>();
    sum += norm * norm;
  }
  return sum;
}

void DenseOptimizer::apply(double scale, int64_t step, double rate) {
  std::vector<at::Tensor> parameters, gradients, exp_avg, exp_avg_sq;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = *parameters_[i].tensor;
    if (!parameter.grad().defined()) continue;
    parameters.push_back(parameter);
    gradients.push_back(parameter.grad());
    exp_avg.push_back(exp_avg_[i]);
    exp_avg_sq.push_back(exp_avg_sq_[i]);
    parameter.mutable_grad().reset();
  }
  if (parameters.empty()) return;
  if (scale != 1) at::_foreach_mul_(gradients, scale);
  const std::vector<at::Tensor> steps(parameters.size(), at::full({}, double(step), at::kFloat));
  at::_fused_adamw_(parameters, gradients, exp_avg, exp_avg_sq, {}, steps, rate, config_.beta1, config_.beta2,
                    config_.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void DenseOptimizer::list_state(model::NamedTensors& state) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state.emplace_back(parameters_[i].name + ".exp_avg", exp_avg_[i]);
    state.emplace_back(parameters_[i].name + ".exp_avg_sq", exp_avg_sq_[i]);
  }
}

}  // namespace memlayers::training
