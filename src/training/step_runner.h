// One training step, for whoever takes some: a run with its folder, or a profiler with its clock.
#pragma once

#include "base/error.h"
#include "model/run_checkpoint.h"
#include "results/step_profile.h"
#include "training/optimizer.h"
#include "training/table_usage.h"

namespace memlayers::training {

/// A loss, a gradient, a weight or a moment that is NaN or infinite; the message says which and at which step.
class NotFinite : public base::Error {
 public:
  using Error::Error;
};

struct StepResult {
  double loss = 0;      // cross-entropy alone: what models of other kinds can be compared with
  GradientNorms norms;  // before clipping
  double learning_rate = 0, table_learning_rate = 0;  // the latter 0 without tables
  int64_t touched_rows = 0;                           // that the step updated, over all tables
};

class StepRunner {
 public:
  /// A new model, its optimizer and its tables' usage counters. `config` is complete (model.vocab_size too).
  explicit StepRunner(const TrainConfig& config);

  /// Forward and backward of every micro-batch, one optimizer step. `batch` [B, T + 1] int64. Adds the seconds of its
  /// parts to `parts` where that is given. Throws NotFinite (a loss or a gradient); the parameters are then those of
  /// before the step.
  StepResult run(const at::Tensor& batch, results::StepParts* parts = nullptr);

  int64_t steps_done() const { return optimizer_.steps_done(); }
  model::Transformer& model() { return model_; }
  /// Of the last step: what the experts did in it.
  const layers::Pass& last_pass() const { return pass_; }
  void bring_tables_up_to_date() { optimizer_.bring_tables_up_to_date(); }
  /// Throws NotFinite when a weight, a moment or a row state is; reads each once.
  void require_finite() const;

  /// Beside model().tables().
  std::vector<TableUsage>& usage() { return usage_; }
  /// What training_state.safetensors holds, under its names. The tables must be up to date when this is saved.
  model::NamedTensors state() const;
  /// Weights, moments, row states and counters of a checkpoint. Throws IoError: a damaged one, or of another model or
  /// optimizer, or one that holds numbers that are not finite.
  void continue_from(const model::RunCheckpoint& checkpoint);

 private:
  double forward_and_backward(const at::Tensor& batch, class Lap& lap);

  TrainConfig config_;
  model::Transformer model_;
  Optimizer optimizer_;  // after model_: it takes its hooks off the tables first
  std::vector<TableUsage> usage_;
  layers::Pass pass_;
};

/// A new model in the configuration's dtype; what is not trained requires no gradient. Throws UsageError: nothing is
/// left to be trained.
model::Transformer model_of(const TrainConfig& config);

/// Where only tables are trained, throws UsageError if a layer passes nothing on of what its table gives, since its
/// output projection is zero: the table could never learn. For a model whose weights are there.
void check_tables_can_learn(const model::Transformer& model, Trainable trainable);

/// Sets torch's threads to a configuration's `threads`; no more than there are processors, with a warning.
void use_threads(int64_t threads);

}  // namespace memlayers::training
