// The charts of an experiment, one for each of its file's figures, with means and ranges over seeds.
#pragma once

#include "evaluation/experiment.h"
#include "evaluation/report_figures.h"

namespace memlayers::evaluation {

/// A figure without a measured value is left out.
std::vector<Figure> experiment_figures(const Experiment& experiment);

}  // namespace memlayers::evaluation
