// Runs an experiment: prepares its data, trains and asks every cell (a variant with a seed), measures, decides the
// criteria.
//
//   OUTPUT/                     a comparison's folder (compare_runs.h), and beside it
//   OUTPUT/experiment.json, ... what experiment_files.h writes, when all cells have been tried or on an interrupt
#pragma once

#include "experiments/compare_runs.h"
#include "experiments/experiment_config.h"
#include "results/experiment.h"

namespace memlayers::experiments {

struct ExperimentOutcome {
  CompareEnd end = CompareEnd::kFinished;
  results::Experiment experiment;
  std::string not_asked;  // CompareOutcome::not_asked
};

/// Runs the cells that are not finished yet; a failed cell is reported in the experiment and the others go on. Without
/// a file of `requires`, nothing runs and the experiment says that it was skipped; what an earlier call measured stays.
/// SIGINT and SIGTERM save and return kInterrupted; calling again continues. Throws UsageError, IoError (data that
/// cannot be prepared, another experiment in the folder).
ExperimentOutcome run_experiment(ExperimentPlan plan, const CompareOptions& options);

}  // namespace memlayers::experiments
