// An experiment of two kinds of model with bars, lines, a published table and a criterion.
#pragma once

#include "results/criteria.h"
#include "results/experiment.h"
#include "support/comparison_fixture.h"

namespace memlayers::tests::fixture {

inline results::Experiment experiment() {
  results::Experiment experiment;
  experiment.name = "sample";
  experiment.paper = "Table 1 & Figure 4";
  experiment.metrics = {"recall", "nats", "text_loss"};
  experiment.comparison = comparison(3);
  for (results::RunResult& run : experiment.comparison.runs)
    run.measures = {{"text_loss", run.variant == "dense" ? 3.25 : 3.0}};
  results::FigureSpec bars;
  bars.title = "Bars <of> text";
  bars.metric = "text_loss";
  bars.groups = {"base"};
  bars.series = {{"Dense", {"dense"}}, {"Memory+", {"memory_plus"}}};
  results::FigureSpec lines;
  lines.title = "Lines";
  lines.metric = "recall";
  lines.x = {1024, 4096};
  lines.x_label = "slots";
  lines.logarithmic = true;
  lines.series = {{"Dense", {"dense"}}, {"Memory+", {"memory_plus", "memory_plus"}}};
  experiment.figures = {bars, lines};
  experiment.published = {{"Table 1", {"model", "score"}, {{"Dense", "7.76"}}}};
  results::CriterionSpec claim;
  claim.name = "Memory+ has the lower loss, \"by a lot\"";
  claim.metric = "text_loss";
  claim.order = {"dense", "memory_plus"};
  experiment.criteria = {results::decide(claim, experiment.comparison, 3)};
  return experiment;
}

}  // namespace memlayers::tests::fixture
