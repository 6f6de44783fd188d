// A model in training without a data folder: the steps of training::TrainingRun on drawn tokens.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/rotation.h"
#include "training/optimizer.h"
#include "training/table_usage.h"

namespace memlayers::bench {

/// Where a configuration takes the data's: as large as the quickstart's.
inline constexpr int64_t kDrawnVocabulary = 2048;

/// `config` with a vocabulary, enough steps for any benchmark, and, where `dtype` is not empty, that dtype.
training::TrainConfig benchable(training::TrainConfig config, const std::string& dtype);
/// The model's shape in the letters of docs/notation.md.
nlohmann::ordered_json shape_of(const std::string& name, const training::TrainConfig& config);
/// New, in the configuration's dtype.
model::Transformer model_of(const training::TrainConfig& config);
std::string dtype_name(const training::TrainConfig& config);

/// Batches [B, T + 1] of a configuration: of Zipf tokens, or the first ones of its own data.
Rotation<at::Tensor> drawn_batches(const training::TrainConfig& config);
Rotation<at::Tensor> read_batches(const training::TrainConfig& config);

/// Seconds of one step.
struct StepParts {
  double forward = 0, backward = 0;
  double measure = 0;  // sums of row gradients, both norms
  double apply = 0;    // dense AdamW, row updates
};

class TwinTraining {
 public:
  /// Goes on from the newest checkpoint of `run`, where one is named: weights, moments and row states. Throws IoError.
  TwinTraining(const training::TrainConfig& config, Rotation<at::Tensor> batches,
               const std::filesystem::path& run = {});
  /// One optimizer step on the next batch; adds what its parts took to `parts`.
  void step();
  model::Transformer& model() { return model_; }
  int64_t tokens_of_step() const { return config_.data.batch_size * config_.data.seq_len; }
  /// Rows that the last step updated, over all tables.
  int64_t touched_rows() const { return touched_rows_; }

  StepParts parts;

 private:
  void continue_run(const std::filesystem::path& run);

  training::TrainConfig config_;
  model::Transformer model_;
  training::Optimizer optimizer_;
  std::vector<training::TableUsage> usage_;
  Rotation<at::Tensor> batches_;
  int64_t touched_rows_ = 0;
};

/// Steps on and says where their time went: the parts, and under "ops" the operations that took longest by themselves (without
/// what they call), in seconds a step.
nlohmann::ordered_json profile_steps(TwinTraining& training, int steps);

}  // namespace memlayers::bench
