// An experiment as tables of Markdown: what the terminal prints, and results.md.
#pragma once

#include <string>

#include "report/page/html_markup.h"
#include "results/experiment.h"

namespace memlayers::report {

/// Criteria with their verdicts, the table of variants, failed cells and missing data, machine and command.
std::string experiment_text(const results::Experiment& experiment);

/// "3 of 4 criteria met, 1 missed", "skipped: FILE is not there".
std::string verdict_text(const results::Experiment& experiment);
/// One row a criterion: claim, verdict, value, interval, what decided.
Table criteria_table(const results::Experiment& experiment);
/// One row a variant: parameters, FLOPs, and mean ± sample deviation of the experiment's metrics.
Table variants_table(const results::Experiment& experiment);
/// One row a run: tokens, time, and the experiment's metrics.
Table runs_table(const results::Experiment& experiment);

}  // namespace memlayers::report
