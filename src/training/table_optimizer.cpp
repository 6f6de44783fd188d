#include "training/table_optimizer.h"

#include <ATen/ATen.h>

namespace memlayers::training {

/// Brings the rows of one table up to date.
class TableOptimizer::Rows : public layers::RowKeeper {
 public:
  Rows(const StepRates& rates, Group& group) : rates_(rates), group_(group) { group.table->set_keeper(this); }
  ~Rows() override { group_.table->set_keeper(nullptr); }

  void bring_up_to_date(const at::Tensor& slots) override {
    if (all_at_ == rates_.steps_done) return;
    ops::bring_rows_up_to_date(group_.table->weight(), group_.state, slots.reshape({-1}), rates_.steps_done,
                               rates_.tables, group_.options);
  }
  void bring_all_up_to_date() override {
    if (all_at_ == rates_.steps_done) return;
    ops::bring_all_up_to_date(group_.table->weight(), group_.state, rates_.steps_done, rates_.tables, group_.options);
    all_at_ = rates_.steps_done;
  }
  /// The rows' state was filled from elsewhere.
  void forget() { all_at_ = -1; }

 private:
  const StepRates& rates_;
  Group& group_;
  int64_t all_at_ = 0;  // every row was brought up to date after so many steps
};

TableOptimizer::TableOptimizer(const model::Transformer& model, const OptimizerConfig& config, const StepRates& rates,
                               uint64_t seed)
    : rates_(rates) {
  groups_.reserve(model.tables().size());  // the keepers have addresses
  for (const auto& [name, table] : model.tables()) {
    layers::LocalTable& local = layers::local_table(*table, "training");
    ops::RowUpdateOptions options;
    options.kind = config.table_optimizer;
    options.beta1 = config.beta1;
    options.beta2 = config.beta2;
    options.eps = config.eps;
    options.weight_decay = config.decay_of_tables();
    options.seed = seed;
    options.table_index = groups_.size();
    groups_.push_back(
        {&local, nullptr, ops::make_row_state(local.weight(), config.table_optimizer), {}, {}, {}, options});
    if (config.table_optimizer != ops::RowOptimizer::kExact) continue;
    groups_.back().keeper = std::make_unique<Rows>(rates_, groups_.back());
  }
}

TableOptimizer::~TableOptimizer() = default;

double TableOptimizer::measure() {
  double sum = 0;
  for (Group& group : groups_) {
    group.touched = ops::sort_records(group.table->take_records(), group.table->value_dim());
    // Summed once: most rows have several entries, so that the norm and the update each reading them cost more.
    group.gradient = ops::sum_rows(group.touched, group.buffer);
    sum += ops::squared_norm(group.gradient);
  }
  return sum;
}

void TableOptimizer::apply(double scale) {
  for (Group& group : groups_) {
    group.options.grad_scale = scale;
    ops::row_update(group.table->weight(), group.state, group.gradient, rates_.steps_done + 1, rates_.tables,
                    group.options);
    group.touched = {};
    group.gradient = {};
  }
}

void TableOptimizer::bring_up_to_date() {
  for (Group& group : groups_) {
    if (group.keeper) group.keeper->bring_all_up_to_date();
  }
}

void TableOptimizer::forget_what_is_up_to_date() {
  for (Group& group : groups_) {
    if (group.keeper) group.keeper->forget();
  }
}

void TableOptimizer::list_state(model::NamedTensors& state) const {
  for (const Group& group : groups_) {
    if (group.state.exp_avg.defined()) state.emplace_back(group.table->name() + ".exp_avg", group.state.exp_avg);
    if (group.state.exp_avg_sq.defined())
      state.emplace_back(group.table->name() + ".exp_avg_sq", group.state.exp_avg_sq);
    if (group.state.last_step.defined()) state.emplace_back(group.table->name() + ".last_step", group.state.last_step);
  }
}

}  // namespace memlayers::training
