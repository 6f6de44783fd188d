// The state of one training run and its single steps; trainer.cpp drives it.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "data/shards/loader.h"
#include "model/run_checkpoint.h"
#include "text/tokenizer.h"
#include "training/metrics.h"
#include "training/run_lock.h"
#include "training/step_runner.h"
#include "training/trainer.h"

namespace memlayers::training {

class TrainingRun {
 public:
  /// Prepares the run's folder (refusing one that holds a run, unless `options` allow it), builds data, model and
  /// optimizer, and continues from `options.resume`'s checkpoint if there is one.
  TrainingRun(const TrainConfig& config, const TrainOptions& options);

  bool finished() const { return report_.step == config_.steps; }
  const TrainConfig& config() const { return config_; }
  const StepReport& report() const { return report_; }
  model::Transformer& model() { return runner_->model(); }
  int64_t tokens_of_run() const { return config_.steps * tokens_of_step(); }

  /// One batch: forward and backward of every micro-batch, one optimizer step. Throws Error when the loss or a gradient
  /// is not finite; the parameters are then those of before the step.
  void step();
  /// Brings the tables up to date. Throws Error, naming the tensor, when weights or moments are not finite: who would
  /// use the model now would use garbage.
  void prepare_to_use();
  /// Mean loss of the first `validation_batches` batches of the validation split.
  double validate();
  /// One metrics line of what happened since the last one.
  void write_metrics(std::optional<double> validation_loss);
  /// Writes RUN/checkpoints/step-XXXXXXXX and rotates the older ones. Throws Error as prepare_to_use() does, and writes
  /// and deletes nothing then.
  void save();

  /// A callback was due at the step of this checkpoint and has not been completed.
  bool callback_pending = false;

 private:
  struct Window {  // since the last metrics line
    double loss_sum = 0, seconds = 0;
    int64_t steps = 0, tokens = 0;
  };

  void prepare_folder(const TrainOptions& options);
  void start_folder(const TrainOptions& options);
  /// Of the checkpoint that the run goes on from, else of config's init_from, where one is named.
  void take_model_of_folder(const std::optional<model::RunCheckpoint>& checkpoint);
  void check_tokenizer_of(const std::filesystem::path& folder) const;
  void take_vocabulary_of_data();
  void resume_from(const model::RunCheckpoint& checkpoint);
  /// Does `work`; says in what it throws as NotFinite where the run can go on from, and how.
  template <class Work>
  auto stopping(const Work& work) const;
  nlohmann::ordered_json state_json() const;
  nlohmann::ordered_json usage_json();
  nlohmann::ordered_json experts_json() const;
  int64_t tokens_of_step() const { return config_.data.batch_size * config_.data.seq_len; }

  TrainConfig config_;
  std::optional<RunLock> lock_;
  std::unique_ptr<data::Loader> loader_, validation_loader_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::unique_ptr<StepRunner> runner_;
  std::unique_ptr<MetricsWriter> metrics_;
  StepReport report_;
  Window window_;
  layers::Pass pass_;  // of the last training step
  double flops_per_token_ = 0;
};

}  // namespace memlayers::training
