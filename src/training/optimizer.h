// One optimizer step over a whole model: fused AdamW for the dense parameters, sparse row updates for the tables.
//
// Gradients of all layers and micro-batches have met before: dense ones in Tensor::grad, the tables' as bag records. The two
// groups have their own rates, decays and clips (paper section 4.3: two separate global norms).
#pragma once

#include "model/transformer.h"
#include "ops/row_update/row_update.h"
#include "training/state_tensors.h"
#include "training/train_config.h"

namespace memlayers::training {

struct GradientNorms {
  double dense = 0, tables = 0;  // global, before clipping
};

class Optimizer {
 public:
  /// Keeps the tables' rows where the kind needs rows brought up to date; the destructor takes it off. The model must
  /// outlive this. Throws base::UsageError: a table whose rows are not in this process's memory.
  Optimizer(model::Transformer& model, const OptimizerConfig& config, int64_t total_steps, uint64_t seed);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Sums the tables' records into row gradients (and clears the records), and measures both groups.
  GradientNorms measure();
  /// Which rows of the t-th table measure() found in its records; until apply().
  const ops::TouchedRows& touched_rows(size_t table) const { return tables_[table].touched; }
  /// Clips, updates every parameter at the current step's rates, clears the gradients, counts the step. `norms` is what
  /// measure() gave.
  void apply(const GradientNorms& norms);

  /// Every row as dense AdamW would have it after the steps done. A no-op for kinds other than exact.
  void bring_tables_up_to_date();

  int64_t steps_done() const { return steps_done_; }
  /// Rates of the step that apply() takes next (of the last one, once all are done).
  double learning_rate() const { return rate_at(rates_); }
  double table_learning_rate() const { return rate_at(table_rates_); }

  /// Moments and row states under the parameters' names. The tables must be up to date when this is saved.
  StateTensors state() const;
  /// After state()'s tensors were filled from a checkpoint.
  void continue_from(int64_t steps_done);

 private:
  class Rows;
  struct TableGroup {
    layers::LocalTable* table;
    std::unique_ptr<Rows> keeper;  // null: rows are never behind
    ops::RowState state;
    ops::TouchedRows touched;
    ops::RowGradient gradient;  // in `buffer`, which lives from step to step
    at::Tensor buffer;
    ops::RowUpdateOptions options;
  };

  void update_dense(double scale);
  void update_tables(double scale);
  double rate_at(const std::vector<double>& rates) const;

  model::Transformer& model_;
  OptimizerConfig config_;
  std::vector<double> rates_, table_rates_;       // of every step, computed once: a replayed step needs the rate it had
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;  // beside model_.parameters(), float32
  std::vector<TableGroup> tables_;
  int64_t steps_done_ = 0;
};

/// What clipping multiplies a gradient of this norm by; `limit` 0: no clip. As torch's clip_grad_norm_.
double clip_factor(double norm, double limit);

}  // namespace memlayers::training
