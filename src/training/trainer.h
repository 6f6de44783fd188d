// The training loop: batches in, checkpoints and metrics out; stoppable at any step and resumable bit for bit.
#pragma once

#include <functional>

#include "model/transformer.h"
#include "training/train_config.h"

namespace memlayers::training {

struct StepReport {
  int64_t step = 0;                                     // steps done
  int64_t tokens = 0;                                   // tokens trained on so far
  double loss = 0, grad_norm = 0, table_grad_norm = 0;  // norms before clipping
  double learning_rate = 0, table_learning_rate = 0;
  double seconds = 0;  // training time so far over all resumed parts: batches, steps and bringing tables up to date;
                       // no saving, no validation, no callbacks
  double flops = 0;    // training FLOPs so far, by model/count.h
};

enum class TrainEnd { kFinished, kInterrupted };

struct TrainOptions {
  bool resume = false;     // from the newest good checkpoint in config.output, if there is one
  bool overwrite = false;  // delete what an earlier run left in config.output
  std::string progress_title = "train";
  /// Called after a step when `step % callback_every == 0` and after the last; outside of the measured seconds.
  /// The tables are brought up to date before it. A call during which a signal came is made again after resuming, so a
  /// callback may return early then.
  int64_t callback_every = 0;
  std::function<void(const StepReport&, model::Transformer&)> callback;
  std::function<void(const StepReport&)> after_step;  // called after every step, before the callback; may be empty
};

/// Trains to config.steps. On SIGINT or SIGTERM saves a checkpoint and returns kInterrupted. With resume, a damaged
/// checkpoint is refused with its reason and the next older one is taken. Throws UsageError (a configuration that does
/// not fit; a folder that already holds a run, without resume or overwrite; a resume with another model, data, seed or
/// table optimizer), IoError, and Error when a loss, a gradient, a weight or a moment stops being finite; what was
/// saved before stays.
TrainEnd train(const TrainConfig& config, const TrainOptions& options);

/// The newest good checkpoint folder under a run's output (RUN/checkpoints/step-XXXXXXXX). Throws IoError when none.
std::filesystem::path newest_checkpoint(const std::filesystem::path& run);

}  // namespace memlayers::training
