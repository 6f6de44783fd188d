// Trains and asks every variant with every seed, one after the other, and gathers what happened.
//
//   OUTPUT/compare.json               the configuration; another one is refused
//   OUTPUT/results.json               the Comparison, of the runs finished so far
//   OUTPUT/VARIANT/seed-N/            a training run's folder, and in it
//     recall.jsonl                    exact match on the sample, at each asking on the way
//     answers.jsonl, result.json      final answers to all questions; the RunResult, written last
//     step_times.json                 where the time of a step goes; of each variant's first run
//   OUTPUT/VARIANT/seed-N.log         what the cell's process printed, where cells run side by side
#pragma once

#include <functional>
#include <optional>

#include "experiments/compare_config.h"
#include "model/transformer.h"
#include "results/comparison.h"

namespace memlayers::experiments {

/// What the program knows and this floor does not.
struct CompareOptions {
  std::string commit = "unknown", command;
  /// Measured on every trained model (not in training mode), which stays as it was. Nothing when interrupted.
  std::function<std::optional<std::vector<results::Measure>>(model::Transformer&, const training::TrainConfig&)>
      measure;
  std::vector<std::string> only;  // variants to run; empty: all. Of the others, finished runs are still read.
  std::string measure_identity;   // of another text, the output folder's runs have other measures: it is refused
  size_t jobs = 1;                // cells that run at a time; more than 1: each in a process of its own
  /// Starts this program for one cell, whose name follows as the last argument; used where `jobs` is more than 1.
  std::vector<std::string> cell_command;
  std::string cell;  // this process runs that one cell ("VARIANT/seed-N") for another one, which gathers what they did
};

enum class CompareEnd { kFinished, kInterrupted, kSomeFailed };

struct CompareOutcome {
  CompareEnd end = CompareEnd::kFinished;
  results::Comparison comparison;     // of the runs that finished
  std::vector<std::string> failures;  // "VARIANT seed N: reason"
  std::string not_asked;              // which questions could not be asked or read; empty where all were
};

/// Runs what is not finished yet, and writes results.json after each run. All variants of one seed read the same
/// batches; their order turns with every seed, so that a machine growing slower or faster favors none. A run that
/// throws is reported in `failures` and the others go on. Then times a few steps of every variant (step_times.h).
/// With `jobs`, the seconds of a run are those of a machine that runs so many at a time.
/// SIGINT and SIGTERM save and return kInterrupted; calling again continues. Throws UsageError: `output` holds a
/// comparison of another configuration; IoError: data or questions unreadable.
CompareOutcome compare_runs(const ComparePlan& plan, const CompareOptions& options);

}  // namespace memlayers::experiments
