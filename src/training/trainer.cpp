#include "training/trainer.h"

#include <cstdio>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "training/training_run.h"

namespace memlayers::training {
namespace {

bool due(int64_t step, int64_t every, bool last) { return every > 0 && (step % every == 0 || last); }

std::string note(const StepReport& report, std::optional<double> validation_loss) {
  char text[80];
  std::snprintf(text, sizeof text, validation_loss ? "loss %.3f  validation %.3f" : "loss %.3f", report.loss,
                validation_loss.value_or(0));
  return text;
}

/// A signal before or during the call leaves it pending: it is made again after resuming.
void call_back(TrainingRun& run, const TrainOptions& options) {
  run.callback_pending = true;
  if (base::interrupted()) return;
  run.prepare_to_use();
  options.callback(run.report(), run.model());
  run.callback_pending = base::interrupted();
}

void warn_of_unreached_peak(const TrainConfig& config) {
  if (config.optimizer.warmup_steps < config.steps) return;
  base::log_warning(base::concat("optimizer.warmup_steps ", config.optimizer.warmup_steps, " is not below steps ",
                                 config.steps, ": the rates never reach their peak"));
}

TrainEnd loop(TrainingRun& run, const TrainOptions& options) {
  const TrainConfig& config = run.config();
  base::Progress progress(options.progress_title, uint64_t(run.tokens_of_run()), "tokens",
                          uint64_t(run.report().tokens));
  std::optional<double> validation_loss;
  while (!run.finished()) {
    run.step();
    if (options.after_step) options.after_step(run.report());
    const int64_t step = run.report().step;
    const bool last = run.finished();
    const bool validating = due(step, config.validate_every, last);
    if (validating) validation_loss = run.validate();
    if (validating || due(step, config.log_every, last)) {
      run.write_metrics(validating ? validation_loss : std::nullopt);
    }
    if (options.callback && due(step, options.callback_every, last)) call_back(run, options);
    const bool stopping = base::interrupted();
    if (last || stopping || due(step, config.checkpoint_every, last)) run.save();
    progress.update(uint64_t(run.report().tokens), note(run.report(), validation_loss));
    if (stopping) return run.finished() && !run.callback_pending ? TrainEnd::kFinished : TrainEnd::kInterrupted;
  }
  progress.finish(note(run.report(), validation_loss));
  return TrainEnd::kFinished;
}

}  // namespace

TrainEnd train(const TrainConfig& config, const TrainOptions& options) {
  base::watch_for_interrupt();
  TrainingRun run(config, options);
  warn_of_unreached_peak(run.config());
  if (options.callback && run.callback_pending) {
    call_back(run, options);
    if (!run.callback_pending) run.save();
    if (base::interrupted()) return TrainEnd::kInterrupted;
  }
  if (run.finished()) {
    base::log_info(base::concat(config.output, ": all ", config.steps, " steps are done already"));
    return TrainEnd::kFinished;
  }
  return loop(run, options);
}

std::filesystem::path newest_checkpoint(const std::filesystem::path& run) {
  return model::require_good_checkpoint(run).folder;
}

}  // namespace memlayers::training
