// One optimizer step over a whole model: where its dense parameters and its tables meet in norms and rates.
//
// Gradients of all layers and micro-batches have met before: dense ones in Tensor::grad, the tables' as bag records.
// The two groups have their own rates, decays and clips (paper section 4.3: two separate global norms).
#pragma once

#include "training/dense_optimizer.h"
#include "training/table_optimizer.h"

namespace memlayers::training {

struct GradientNorms {
  double dense = 0, tables = 0;  // global, before clipping
};

class Optimizer {
 public:
  /// Of the parameters that require a gradient now, and of all tables. The model must outlive this; tables of the exact
  /// kind are brought up to date before they are read for as long as it lives.
  Optimizer(model::Transformer& model, const OptimizerConfig& config, int64_t total_steps, uint64_t seed);

  /// Sums the tables' records into row gradients (and clears the records), and measures both groups.
  GradientNorms measure();
  /// Which rows of the t-th table measure() found in its records; until apply().
  const ops::TouchedRows& touched_rows(size_t table) const { return tables_.touched_rows(table); }
  /// Clips, updates every parameter at the current step's rates, clears the gradients, counts the step. `norms` is what
  /// measure() gave.
  void apply(const GradientNorms& norms);

  /// Every row as dense AdamW would have it after the steps done. A no-op for kinds other than exact.
  void bring_tables_up_to_date() { tables_.bring_up_to_date(); }

  int64_t steps_done() const { return rates_.steps_done; }
  /// Rates of the step that apply() takes next (of the last one, once all are done).
  double learning_rate() const { return rates_.next(rates_.dense); }
  double table_learning_rate() const { return rates_.next(rates_.tables); }

  /// Moments and row states under the parameters' names. The tables must be up to date when this is saved.
  model::NamedTensors state() const;
  /// After state()'s tensors were filled from a checkpoint.
  void continue_from(int64_t steps_done) {
    rates_.steps_done = steps_done;
    tables_.forget_what_is_up_to_date();
  }

 private:
  OptimizerConfig config_;
  StepRates rates_;
  layers::ParameterList trained_;  // of the model's parameters
  DenseOptimizer dense_;
  TableOptimizer tables_;
};

/// What clipping multiplies a gradient of this norm by; `limit` 0: no clip. As torch's clip_grad_norm_.
double clip_factor(double norm, double limit);

}  // namespace memlayers::training
