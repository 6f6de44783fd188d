// A model in training without a data folder: the steps of training::TrainingRun on drawn tokens.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/rotation.h"
#include "training/optimizer.h"
#include "training/table_usage.h"

namespace memlayers::bench {

inline constexpr int64_t kDrawnVocabulary =
    2048;  // where a configuration takes the data's: as large as the quickstart's

/// `config` with a vocabulary, enough steps for any benchmark, and, where `dtype` is not empty, that dtype.
training::TrainConfig benchable(training::TrainConfig config, const std::string& dtype);
/// The model's shape in the letters of docs/notation.md.
nlohmann::ordered_json shape_of(const std::string& name, const training::TrainConfig& config);
/// New, in the configuration's dtype.
model::Transformer model_of(const training::TrainConfig& config);
std::string dtype_name(const training::TrainConfig& config);

/// Seconds of one step.
struct StepParts {
  double forward = 0, backward = 0;
  double measure = 0;  // sums of row gradients, both norms
  double apply = 0;    // dense AdamW, row updates
};

class TwinTraining {
 public:
  explicit TwinTraining(const training::TrainConfig& config);
  /// One optimizer step on the next of a few batches of Zipf tokens; adds what its parts took to `parts`.
  void step();
  model::Transformer& model() { return model_; }
  int64_t tokens_of_step() const { return config_.data.batch_size * config_.data.seq_len; }
  /// Rows that the last step updated, over all tables.
  int64_t touched_rows() const;

  StepParts parts;

 private:
  training::TrainConfig config_;
  model::Transformer model_;
  training::Optimizer optimizer_;
  std::vector<training::TableUsage> usage_;
  Rotation<at::Tensor> batches_;
};

/// Steps on and says where their time went: the parts, and under "ops" the operations that took longest by themselves (without
/// what they call), in seconds a step.
nlohmann::ordered_json profile_steps(TwinTraining& training, int steps);

}  // namespace memlayers::bench
