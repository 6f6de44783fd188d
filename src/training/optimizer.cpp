#include "training/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

namespace memlayers::training {

double clip_factor(double norm, double limit) { return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0; }

namespace {

layers::ParameterList trained_parameters(const model::Transformer& model) {
  layers::ParameterList trained;
  for (const layers::Parameter& parameter : model.parameters()) {
    if (parameter.tensor->requires_grad()) trained.push_back(parameter);
  }
  return trained;
}

}  // namespace

Optimizer::Optimizer(model::Transformer& model, const OptimizerConfig& config, int64_t total_steps, uint64_t seed)
    : config_(config),
      rates_(config, total_steps),
      trained_(trained_parameters(model)),
      dense_(trained_, config),
      tables_(model, config, rates_, seed) {}

GradientNorms Optimizer::measure() {
  const at::NoGradGuard no_grad;
  const double dense = dense_.squared_norm();
  return {std::sqrt(dense), std::sqrt(tables_.measure())};
}

void Optimizer::apply(const GradientNorms& norms) {
  const at::NoGradGuard no_grad;
  assert(steps_done() < int64_t(rates_.dense.size()));
  dense_.apply(clip_factor(norms.dense, config_.clip), steps_done() + 1, learning_rate());
  tables_.apply(clip_factor(norms.tables, config_.clip_of_tables()));
  ++rates_.steps_done;
}

model::NamedTensors Optimizer::state() const {
  model::NamedTensors state;
  dense_.list_state(state);
  tables_.list_state(state);
  return state;
}

}  // namespace memlayers::training
