// An experiment as files: experiment.json (all of it), criteria.json and results.csv (for other programs), results.md,
// report.html and runs.html (for people), and each chart as SVG.
#pragma once

#include <filesystem>

#include "results/experiment.h"

namespace memlayers::report {

/// Writes all of them into `folder`, each whole or not at all, and removes charts of an earlier call. Throws IoError.
void write_experiment_files(const results::Experiment& experiment, const std::filesystem::path& folder);
/// experiment.json of a folder. Throws IoError, UsageError (of another format).
results::Experiment read_experiment(const std::filesystem::path& folder);

/// [{name, metric, met (true, false, or null where undecided), value, interval [low, high] or null, seeds, note}]
std::string criteria_json(const results::Experiment& experiment);
/// variant,seed,metric,value: every metric of the table, charts and criteria that a run has.
std::string results_csv(const results::Experiment& experiment);

}  // namespace memlayers::report
