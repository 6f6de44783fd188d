#include "training/optimizer.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace memlayers::training {
namespace {

std::vector<double> scheduled_rates(const OptimizerConfig& config, double peak, int64_t total_steps) {
  std::vector<double> rates(static_cast<size_t>(total_steps));
  for (int64_t step = 0; step < total_steps; ++step)
    rates[size_t(step)] = peak * schedule_factor(config, step, total_steps);
  return rates;
}

// In float64, so that the norm of many small tensors does not depend on how they are grouped.
double squared_norm(const at::Tensor& gradient) {
  const double norm = at::linalg_vector_norm(gradient, 2, {}, false, at::kDouble).item<double>();
  return norm * norm;
}

}  // namespace

/// Brings the rows of one table up to date.
class Optimizer::Rows : public layers::RowKeeper {
 public:
  Rows(const Optimizer& optimizer, TableGroup& group) : optimizer_(optimizer), group_(group) {
    group.table->set_keeper(this);
  }
  ~Rows() override { group_.table->set_keeper(nullptr); }

  void bring_up_to_date(const at::Tensor& slots) override {
    if (all_at_ == optimizer_.steps_done_) return;
    ops::bring_rows_up_to_date(group_.table->weight(), group_.state, slots.reshape({-1}), optimizer_.steps_done_,
                               optimizer_.table_rates_, group_.options);
  }
  void bring_all_up_to_date() override {
    if (all_at_ == optimizer_.steps_done_) return;
    ops::bring_all_up_to_date(group_.table->weight(), group_.state, optimizer_.steps_done_, optimizer_.table_rates_,
                              group_.options);
    all_at_ = optimizer_.steps_done_;
  }
  /// The rows' state was filled from elsewhere.
  void forget() { all_at_ = -1; }

 private:
  const Optimizer& optimizer_;
  TableGroup& group_;
  int64_t all_at_ = 0;  // every row was brought up to date after so many steps
};

double clip_factor(double norm, double limit) { return limit > 0 ? std::min(1.0, limit / (norm + 1e-6)) : 1.0; }

Optimizer::Optimizer(model::Transformer& model, const OptimizerConfig& config, int64_t total_steps, uint64_t seed)
    : model_(model),
      config_(config),
      rates_(scheduled_rates(config, config.learning_rate, total_steps)),
      table_rates_(scheduled_rates(config, config.peak_table_rate(), total_steps)) {
  for (const layers::Parameter& parameter : model.parameters()) {
    exp_avg_.push_back(at::zeros(parameter.tensor->sizes(), at::kFloat));
    exp_avg_sq_.push_back(at::zeros(parameter.tensor->sizes(), at::kFloat));
  }
  tables_.reserve(model.tables().size());  // the keepers have addresses
  for (const auto& [name, table] : model.tables()) {
    layers::LocalTable& local = layers::local_table(*table, "training");
    ops::RowUpdateOptions options;
    options.kind = config.table_optimizer;
    options.beta1 = config.beta1;
    options.beta2 = config.beta2;
    options.eps = config.eps;
    options.weight_decay = config.decay_of_tables();
    options.seed = seed;
    options.table_index = tables_.size();
    tables_.push_back(
        {&local, nullptr, ops::make_row_state(local.weight(), config.table_optimizer), {}, {}, {}, options});
    if (config.table_optimizer != ops::RowOptimizer::kExact) continue;
    tables_.back().keeper = std::make_unique<Rows>(*this, tables_.back());
  }
}

Optimizer::~Optimizer() = default;

GradientNorms Optimizer::measure() {
  const at::NoGradGuard no_grad;
  double dense = 0, tables = 0;
  for (const layers::Parameter& parameter : model_.parameters()) {
    if (parameter.tensor->grad().defined()) dense += squared_norm(parameter.tensor->grad());
  }
  for (TableGroup& group : tables_) {
    group.touched = ops::sort_records(group.table->take_records(), group.table->value_dim());
    // Summed once: most rows have several entries, so that the norm and the update each reading them cost more.
    group.gradient = ops::sum_rows(group.touched, group.buffer);
    tables += ops::squared_norm(group.gradient);
  }
  return {std::sqrt(dense), std::sqrt(tables)};
}

void Optimizer::apply(const GradientNorms& norms) {
  const at::NoGradGuard no_grad;
  assert(steps_done_ < int64_t(rates_.size()));
  update_dense(clip_factor(norms.dense, config_.clip));
  update_tables(clip_factor(norms.tables, config_.clip_of_tables()));
  ++steps_done_;
}

void Optimizer::update_dense(double scale) {
  // As in torch, a parameter that no gradient reached in this step is left alone.
  std::vector<at::Tensor> parameters, gradients, exp_avg, exp_avg_sq;
  for (size_t i = 0; i < model_.parameters().size(); ++i) {
    at::Tensor& parameter = *model_.parameters()[i].tensor;
    if (!parameter.grad().defined()) continue;
    parameters.push_back(parameter);
    gradients.push_back(parameter.grad());
    exp_avg.push_back(exp_avg_[i]);
    exp_avg_sq.push_back(exp_avg_sq_[i]);
    parameter.mutable_grad().reset();
  }
  if (parameters.empty()) return;
  if (scale != 1) at::_foreach_mul_(gradients, scale);
  const std::vector<at::Tensor> step(parameters.size(), at::full({}, double(steps_done_ + 1), at::kFloat));
  at::_fused_adamw_(parameters, gradients, exp_avg, exp_avg_sq, {}, step, rates_[size_t(steps_done_)], config_.beta1,
                    config_.beta2, config_.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void Optimizer::update_tables(double scale) {
  for (TableGroup& group : tables_) {
    group.options.grad_scale = scale;
    ops::row_update(group.table->weight(), group.state, group.gradient, steps_done_ + 1, table_rates_, group.options);
    group.touched = {};
    group.gradient = {};
  }
}

void Optimizer::bring_tables_up_to_date() {
  for (TableGroup& group : tables_) {
    if (group.keeper) group.keeper->bring_all_up_to_date();
  }
}

void Optimizer::continue_from(int64_t steps_done) {
  steps_done_ = steps_done;
  for (TableGroup& group : tables_) {
    if (group.keeper) group.keeper->forget();
  }
}

double Optimizer::rate_at(const std::vector<double>& rates) const {
  return rates[size_t(std::min(steps_done_, int64_t(rates.size()) - 1))];
}

StateTensors Optimizer::state() const {
  StateTensors tensors;
  for (size_t i = 0; i < exp_avg_.size(); ++i) {
    tensors.emplace_back(model_.parameters()[i].name + ".exp_avg", exp_avg_[i]);
    tensors.emplace_back(model_.parameters()[i].name + ".exp_avg_sq", exp_avg_sq_[i]);
  }
  for (const TableGroup& group : tables_) {
    if (group.state.exp_avg.defined()) tensors.emplace_back(group.table->name() + ".exp_avg", group.state.exp_avg);
    if (group.state.exp_avg_sq.defined())
      tensors.emplace_back(group.table->name() + ".exp_avg_sq", group.state.exp_avg_sq);
    if (group.state.last_step.defined())
      tensors.emplace_back(group.table->name() + ".last_step", group.state.last_step);
  }
  return tensors;
}

}  // namespace memlayers::training
