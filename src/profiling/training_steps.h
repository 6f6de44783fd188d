// Training steps without a run's folder to write into, for those who time them.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "training/step_runner.h"

namespace memlayers::profiling {

/// The first `count` batches [B, T + 1] int64 of a configuration's own data. Throws IoError.
std::vector<at::Tensor> read_batches(const training::TrainConfig& config, int64_t count);

class TrainingSteps {
 public:
  /// `next_batch` gives [B, T + 1] int64. Goes on from the newest checkpoint of `run`, where one is named: weights,
  /// moments and row states. The configuration's steps must reach as far as it will go. Throws IoError.
  TrainingSteps(const training::TrainConfig& config, std::function<at::Tensor()> next_batch,
                const std::filesystem::path& run = {});
  TrainingSteps(const TrainingSteps&) = delete;  // the tables' listeners keep its address
  TrainingSteps& operator=(const TrainingSteps&) = delete;
  /// One optimizer step on the next batch; adds what its parts took to `parts`.
  void step() { touched_rows_ = runner_.run(next_batch_(), &parts).touched_rows; }
  const training::TrainConfig& config() const { return config_; }
  model::Transformer& model() { return runner_.model(); }
  int64_t tokens_of_step() const { return config_.data.batch_size * config_.data.seq_len; }
  /// Rows that the last step updated, over all tables.
  int64_t touched_rows() const { return touched_rows_; }

  results::StepParts parts;
  /// Slots [N, H * k] of each bag that was read while this is true, in order, beside model().tables(); of many steps
  /// the first.
  bool keep_reads = false;
  const std::vector<std::vector<at::Tensor>>& reads() const { return reads_; }

 private:
  training::TrainConfig config_;
  training::StepRunner runner_;
  std::vector<std::vector<at::Tensor>> reads_;
  int64_t kept_slots_ = 0, touched_rows_ = 0;
  std::function<at::Tensor()> next_batch_;
  std::vector<layers::MemoryTable::Listening> listening_;
};

}  // namespace memlayers::profiling
