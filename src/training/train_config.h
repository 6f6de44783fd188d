// One training run: the YAML's sections, and the numbers of the optimizer and its schedule.
#pragma once

#include "data/shards/loader.h"
#include "model/compute_dtype.h"
#include "model/model_config.h"
#include "ops/row_update/row_update.h"

namespace memlayers::training {

enum class Schedule { kLinear, kCosine, kConstant };
constexpr auto enum_names(Schedule) {
  return std::array{std::pair{Schedule::kLinear, "linear"}, std::pair{Schedule::kCosine, "cosine"},
                    std::pair{Schedule::kConstant, "constant"}};
}

/// What a run changes: everything, memory and n-gram layers with their tables, or the tables alone.
enum class Trainable { kAll, kMemory, kTable };
constexpr auto enum_names(Trainable) {
  return std::array{std::pair{Trainable::kAll, "all"}, std::pair{Trainable::kMemory, "memory"},
                    std::pair{Trainable::kTable, "table"}};
}

struct OptimizerConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1, clip = 1.0;
  ops::RowOptimizer table_optimizer = ops::RowOptimizer::kExact;
  double table_learning_rate = 0;  // 0: ten times learning_rate
  double table_weight_decay = -1;  // negative: weight_decay
  double table_clip = -1;          // negative: clip
  Schedule schedule = Schedule::kLinear;
  int64_t warmup_steps = 100;
  double final_rate = 0.01;  // share of the peak at the last step

  static constexpr auto fields() {
    using base::field;
    using C = OptimizerConfig;
    return std::tuple{
        field("learning_rate", &C::learning_rate, "peak rate of everything but the tables"),
        field("beta1", &C::beta1, "decay of the first moment"),
        field("beta2", &C::beta2, "decay of the second moment"),
        field("eps", &C::eps, "added to the root of the second moment"),
        field("weight_decay", &C::weight_decay, "decoupled weight decay"),
        field("clip", &C::clip, "largest global gradient norm of everything but the tables; 0: none"),
        field("table_optimizer", &C::table_optimizer, "exact (dense AdamW, bit for bit), lazy, rowwise or sgd"),
        field("table_learning_rate", &C::table_learning_rate, "peak rate of the tables; 0: ten times learning_rate"),
        field("table_weight_decay", &C::table_weight_decay, "decay of the tables; negative: weight_decay"),
        field("table_clip", &C::table_clip, "largest global norm of the tables' gradient; negative: clip; 0: none"),
        field("schedule", &C::schedule, "linear (the paper's), cosine or constant after the warm-up"),
        field("warmup_steps", &C::warmup_steps, "steps from rate 0 to the peak"),
        field("final_rate", &C::final_rate, "share of the peak left at the last step"),
    };
  }
  void validate() const;

  /// The tables' numbers with the rules for "as the rest" applied.
  double peak_table_rate() const { return table_learning_rate > 0 ? table_learning_rate : 10 * learning_rate; }
  double decay_of_tables() const { return table_weight_decay < 0 ? weight_decay : table_weight_decay; }
  double clip_of_tables() const { return table_clip < 0 ? clip : table_clip; }
};

struct TrainConfig {
  std::string output = "runs/train";
  model::ModelConfig model;
  data::LoaderConfig data;
  OptimizerConfig optimizer;
  int64_t steps = 1000;
  int64_t micro_batches = 1;
  uint64_t seed = 1;
  model::ComputeDtype dtype = model::ComputeDtype::kAuto;
  int64_t checkpoint_every = 200;
  int64_t keep_checkpoints = 2;
  int64_t log_every = 10;
  int64_t validate_every = 0;
  int64_t validation_batches = 8;
  int64_t threads = 0;
  bool tensorboard = true;
  std::string init_from;
  Trainable trainable = Trainable::kAll;

  static constexpr auto fields() {
    using base::field;
    using C = TrainConfig;
    return std::tuple{
        field("output", &C::output, "folder of the run: checkpoints, metrics, resolved configuration"),
        field("model", &C::model, "the model's shape, same keys as config.json"),
        field("data", &C::data, "prepared data and how batches are made of it"),
        field("optimizer", &C::optimizer, "AdamW, the tables' optimizer, schedule and clips"),
        field("steps", &C::steps, "optimizer steps of the whole run"),
        field("micro_batches", &C::micro_batches, "parts a batch is split into; gradients add up"),
        field("seed", &C::seed, "of initialization and dropout (the data's order has its own)"),
        field("dtype", &C::dtype, "auto, float32 or bfloat16; auto asks the processor"),
        field("checkpoint_every", &C::checkpoint_every, "steps between checkpoints; 0: only at the end"),
        field("keep_checkpoints", &C::keep_checkpoints, "newest checkpoints kept; 0: all"),
        field("log_every", &C::log_every, "steps between metric lines"),
        field("validate_every", &C::validate_every, "steps between validation losses; 0: never"),
        field("validation_batches", &C::validation_batches, "batches of a validation loss"),
        field("threads", &C::threads, "CPU threads; 0: all cores"),
        field("tensorboard", &C::tensorboard, "also write TensorBoard event files"),
        field("init_from", &C::init_from,
              "folder of a model whose weights the run starts from; the model section is taken from there"),
        field("trainable", &C::trainable, "all, memory (with n-gram layers and tables) or table; the rest is frozen"),
    };
  }
  /// Checks every number; throws base::UsageError. model.vocab_size may still be 0 (train() takes the data's).
  void validate() const;
};

/// Factor of step `step` (counted from 0) on every peak rate: step / warmup, then down to final_rate at the last step
/// (step 0 has rate 0).
double schedule_factor(const OptimizerConfig& config, int64_t step, int64_t total_steps);

/// The rates of every step of a run, computed once (a replayed step needs the rate it had), and how far the run is.
struct StepRates {
  StepRates(const OptimizerConfig& config, int64_t total_steps);
  /// Of the step that comes next; of the last one, once all are done.
  double next(const std::vector<double>& rates) const {
    return rates[size_t(std::min(steps_done, int64_t(rates.size()) - 1))];
  }

  std::vector<double> dense, tables;
  int64_t steps_done = 0;
};

}  // namespace memlayers::training
