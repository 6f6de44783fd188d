// The charts of an experiment, one for each of its file's figures, with means and ranges over seeds.
#pragma once

#include "report/comparison/report_figures.h"
#include "results/experiment.h"

namespace memlayers::report {

/// A figure without a measured value is left out.
std::vector<Figure> experiment_figures(const results::Experiment& experiment);

}  // namespace memlayers::report
