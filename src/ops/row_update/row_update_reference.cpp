#include "ops/row_update/row_update_reference.h"

#include <ATen/ATen.h>

#include <cmath>

namespace memlayers::ops {

at::Tensor dense_gradient_reference(const BagRecords& records, int64_t num_slots, int64_t value_dim) {
  const auto dtype = records.empty() ? at::kFloat : records[0].weights.scalar_type();
  at::Tensor gradient = at::zeros({num_slots, value_dim}, dtype);
  for (const BagRecord& record : records) {
    const at::Tensor values = record.weights.unsqueeze(-1) * record.grad_output.unsqueeze(1);
    gradient.index_add_(0, record.slots.reshape({-1}), values.reshape({-1, value_dim}));
  }
  return gradient;
}

void row_update_reference(at::Tensor& table, RowState& state, const at::Tensor& gradient, const at::Tensor& touched,
                          int64_t step, double learning_rate, const RowUpdateOptions& options) {
  const at::Tensor g = gradient * options.grad_scale;
  const double bias1 = 1 - std::pow(options.beta1, double(step)), bias2 = 1 - std::pow(options.beta2, double(step));
  const bool adam = options.kind == RowOptimizer::kExact || options.kind == RowOptimizer::kLazy;
  RowState next = state;
  at::Tensor direction = g;
  if (adam) {
    next.exp_avg = state.exp_avg * options.beta1 + g * (1 - options.beta1);
    next.exp_avg_sq = state.exp_avg_sq * options.beta2 + g * g * (1 - options.beta2);
    direction = next.exp_avg / bias1 / ((next.exp_avg_sq / bias2).sqrt() + options.eps);
  } else if (options.kind == RowOptimizer::kRowwise) {
    next.exp_avg_sq = state.exp_avg_sq * options.beta2 + (g * g).mean(1) * (1 - options.beta2);
    direction = g / ((next.exp_avg_sq / bias2).sqrt() + options.eps).unsqueeze(1);
  }
  const at::Tensor moved = table * (1 - learning_rate * options.weight_decay) - direction * learning_rate;

  const auto keep_untouched = [&](at::Tensor& target, const at::Tensor& value) {
    if (!target.defined()) return;
    const at::Tensor all = options.kind == RowOptimizer::kExact ? at::ones_like(touched) : touched;
    target.copy_(at::where(target.dim() == 2 ? all.unsqueeze(1) : all, value, target));
  };
  keep_untouched(table, moved);
  keep_untouched(state.exp_avg, next.exp_avg);
  keep_untouched(state.exp_avg_sq, next.exp_avg_sq);
}

}  // namespace memlayers::ops
