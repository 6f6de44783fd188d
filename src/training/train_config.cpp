#include "training/train_config.h"

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace memlayers::training {

using base::check;

void OptimizerConfig::validate() const {
  check(learning_rate > 0 && std::isfinite(learning_rate), "optimizer.learning_rate is ", learning_rate,
        ": it must be above 0");
  check(table_learning_rate >= 0 && std::isfinite(table_learning_rate), "optimizer.table_learning_rate is ",
        table_learning_rate, ": it must be above 0, or 0 for ten times learning_rate");
  check(beta1 >= 0 && beta1 < 1, "optimizer.beta1 is ", beta1, ": it must be at least 0 and below 1");
  check(beta2 >= 0 && beta2 < 1, "optimizer.beta2 is ", beta2, ": it must be at least 0 and below 1");
  check(eps > 0, "optimizer.eps is ", eps, ": it must be above 0");
  check(weight_decay >= 0, "optimizer.weight_decay is ", weight_decay, ": it must not be negative");
  check(clip >= 0, "optimizer.clip is ", clip, ": it must not be negative (0 does not clip)");
  check(warmup_steps >= 0, "optimizer.warmup_steps is ", warmup_steps, ": it must not be negative");
  check(final_rate >= 0 && final_rate <= 1, "optimizer.final_rate is ", final_rate,
        ": it is a share of the peak rate, between 0 and 1");
}

void TrainConfig::validate() const {
  check(!output.empty(), "output is empty: name the folder of the run, e.g. output=runs/first");
  check(steps >= 1, "steps is ", steps, ": a run has at least 1 step");
  check(micro_batches >= 1, "micro_batches is ", micro_batches, ": it must be at least 1");
  check(data.batch_size % micro_batches == 0, "data.batch_size ", data.batch_size, " cannot be split into ",
        micro_batches, " equal micro_batches: choose a divisor of ", data.batch_size);
  check(data.seq_len <= model.max_position_embeddings, "data.seq_len ", data.seq_len,
        " is longer than model.max_position_embeddings ", model.max_position_embeddings,
        ": shorten the one or raise the other");
  check(checkpoint_every >= 0, "checkpoint_every is ", checkpoint_every,
        ": it must not be negative (0: only at the end)");
  check(keep_checkpoints >= 0, "keep_checkpoints is ", keep_checkpoints, ": it must not be negative (0: all)");
  check(log_every >= 1, "log_every is ", log_every, ": it must be at least 1");
  check(validate_every >= 0, "validate_every is ", validate_every, ": it must not be negative (0: never)");
  check(validation_batches >= 1, "validation_batches is ", validation_batches, ": it must be at least 1");
  check(threads >= 0, "threads is ", threads, ": it must not be negative (0: all cores)");
}

double schedule_factor(const OptimizerConfig& config, int64_t step, int64_t total_steps) {
  if (step < config.warmup_steps) return double(step) / double(config.warmup_steps);
  if (config.schedule == Schedule::kConstant) return 1;
  const int64_t falling_steps = total_steps - config.warmup_steps;
  const double progress =
      falling_steps > 0 ? std::min(1.0, double(step - config.warmup_steps) / double(falling_steps)) : 1;
  const double left =
      config.schedule == Schedule::kLinear ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return config.final_rate + (1 - config.final_rate) * left;
}

StepRates::StepRates(const OptimizerConfig& config, int64_t total_steps)
    : dense(size_t(total_steps)), tables(size_t(total_steps)) {
  for (int64_t step = 0; step < total_steps; ++step) {
    const double factor = schedule_factor(config, step, total_steps);
    dense[size_t(step)] = config.learning_rate * factor;
    tables[size_t(step)] = config.peak_table_rate() * factor;
  }
}

}  // namespace memlayers::training
