// A comparison's models as benchmarks train them, on drawn tokens or on a run's own.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "bench/rotation.h"
#include "profiling/training_steps.h"

namespace memlayers::bench {

/// Where a configuration takes the data's: as large as the quickstart's.
inline constexpr int64_t kDrawnVocabulary = 2048;

/// `config` with a vocabulary, enough steps for any benchmark, and, where `dtype` is not empty, that dtype.
training::TrainConfig benchable(training::TrainConfig config, const std::string& dtype);
/// The model's shape in the letters of docs/notation.md.
nlohmann::ordered_json shape_of(const std::string& name, const training::TrainConfig& config);
std::string dtype_name(const training::TrainConfig& config);

/// Batches [B, T + 1] of a configuration: of Zipf tokens, or the first ones of its own data.
Rotation<at::Tensor> drawn_batches(const training::TrainConfig& config);
Rotation<at::Tensor> read_batches(const training::TrainConfig& config);

/// On those batches; goes on from the newest checkpoint of `run`, where one is named. Throws IoError.
std::shared_ptr<profiling::TrainingSteps> training_on(const training::TrainConfig& config, Rotation<at::Tensor> batches,
                                                      const std::filesystem::path& run = {});

/// Steps on and says where the time of the fastest went: its parts, and under "ops" the operations that took longest,
/// in seconds.
nlohmann::ordered_json profile_steps(profiling::TrainingSteps& training, int steps);

}  // namespace memlayers::bench
