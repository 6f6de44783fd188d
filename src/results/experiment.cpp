#include "results/experiment.h"

#include <algorithm>

namespace memlayers::results {
namespace {

FigureSpec curve(const std::string& metric, const std::string& over, const std::string& caption) {
  FigureSpec figure;
  figure.kind = FigureKind::kCurve;
  figure.metric = metric;
  figure.over = over;
  figure.caption = caption;
  return figure;
}

}  // namespace

std::string criteria_metric(const std::vector<CriterionResult>& criteria) {
  const bool recall =
      std::any_of(criteria.begin(), criteria.end(), [](const auto& criterion) { return criterion.metric == "recall"; });
  return recall || criteria.empty() ? "recall" : criteria.front().metric;
}

Experiment experiment_of(Comparison comparison, const std::string& told_by) {
  Experiment experiment;
  experiment.told_by = told_by;
  experiment.metrics = {"table_parameters", "tokens_per_second", "recall_seen", "recall", "f1", "nats"};
  experiment.figures = {
      curve("recall", "tokens", "Which model makes more of the same text?"),
      curve("recall", "seconds", "Which model makes more of the same time on this machine?"),
      curve("recall", "flops", "Which model makes more of the same arithmetic, as counted from the models' shapes?"),
      curve(
          "loss", "tokens",
          "How surprised a model is by each next token of its training text; lower is better. A low loss does not yet "
          "mean that facts can be recalled in other words.")};
  for (const auto& [kind, metric] :
       {std::pair{FigureKind::kWordings, "recall"}, std::pair{FigureKind::kRelations, "recall"},
        std::pair{FigureKind::kAnswers, "recall"}, std::pair{FigureKind::kAnswers, "nats"},
        std::pair{FigureKind::kSlots, "used_slots"}, std::pair{FigureKind::kSteps, "seconds"}}) {
    FigureSpec& figure = experiment.figures.emplace_back();
    figure.kind = kind;
    figure.metric = metric;
  }
  experiment.comparison = std::move(comparison);
  return experiment;
}

}  // namespace memlayers::results
