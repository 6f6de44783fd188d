// What an experiment measures on each trained model beside the questions: losses on held-out documents, bits of
// biographies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/experiment_config.h"
#include "model/transformer.h"
#include "results/comparison.h"

namespace memlayers::experiments {

/// Of every measure that a run of this experiment can have.
std::vector<std::string> measure_names(const ExperimentConfig& config);
/// Checked before anything is trained: the data are there, and of the training data's tokenizer. Throws UsageError,
/// IoError.
void check_measures(const ExperimentConfig& config);

/// One measure for each of `losses`; and of `capacity` (docs/capacity.md), mean over the data's people:
///   stored_bits, extractable_bits               of a person: name and values; values in wordings never read
///   value_bits                                  of a person: values in wordings read, beside extractable_bits
///   bits_per_parameter_F, bits_per_byte_F       all that is stored, with every matrix rounded to the format F
///   table_bits_per_parameter_F                  the same with the tables alone rounded; of models with tables
/// `run` says where the model's checkpoint is. Nothing when interrupted.
std::optional<std::vector<results::Measure>> measure(const ExperimentConfig& config, model::Transformer& model,
                                                     const training::TrainConfig& run);

}  // namespace memlayers::experiments
