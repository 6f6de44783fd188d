#include "training/table_optimizer.h"

#include <ATen/ATen.h>

namespace memlayers::training {

TableOptimizer::TableOptimizer(const model::Transformer& model, const OptimizerConfig& config, const StepRates& rates,
                               uint64_t seed)
    : rates_(rates) {
  groups_.reserve(model.tables().size());  // what is hung on the tables keeps addresses
  for (const auto& [name, table] : model.tables()) {
    ops::RowUpdateOptions options;
    options.kind = config.table_optimizer;
    options.beta1 = config.beta1;
    options.beta2 = config.beta2;
    options.eps = config.eps;
    options.weight_decay = config.decay_of_tables();
    options.seed = seed;
    options.table_index = groups_.size();
    groups_.push_back(
        {table.get(), name, ops::make_row_state(table->weight, config.table_optimizer), {}, {}, {}, options});
    if (config.table_optimizer != ops::RowOptimizer::kExact) continue;
    table->before_read = [this, group = &groups_.back()](const at::Tensor& slots) {
      ops::bring_rows_up_to_date(group->table->weight, group->state, slots.reshape({-1}), rates_.steps_done,
                                 rates_.tables, group->options);
    };
  }
}

TableOptimizer::~TableOptimizer() {
  for (Group& group : groups_) group.table->before_read = nullptr;
}

double TableOptimizer::measure() {
  double sum = 0;
  for (Group& group : groups_) {
    group.touched = ops::sort_records(*group.table->records, group.table->weight.size(1));
    group.table->records->clear();
    // Summed once: most rows have several entries, so that the norm and the update each reading them cost more.
    group.gradient = ops::sum_rows(group.touched, group.buffer);
    sum += ops::squared_norm(group.gradient);
  }
  return sum;
}

void TableOptimizer::apply(double scale) {
  for (Group& group : groups_) {
    group.options.grad_scale = scale;
    ops::row_update(group.table->weight, group.state, group.gradient, rates_.steps_done + 1, rates_.tables,
                    group.options);
    group.touched = {};
    group.gradient = {};
  }
}

void TableOptimizer::bring_up_to_date() {
  for (Group& group : groups_) {
    ops::bring_all_up_to_date(group.table->weight, group.state, rates_.steps_done, rates_.tables, group.options);
  }
}

void TableOptimizer::list_state(model::NamedTensors& state) const {
  for (const Group& group : groups_) {
    if (group.state.exp_avg.defined()) state.emplace_back(group.name + ".exp_avg", group.state.exp_avg);
    if (group.state.exp_avg_sq.defined()) state.emplace_back(group.name + ".exp_avg_sq", group.state.exp_avg_sq);
    if (group.state.last_step.defined()) state.emplace_back(group.name + ".last_step", group.state.last_step);
  }
}

}  // namespace memlayers::training
