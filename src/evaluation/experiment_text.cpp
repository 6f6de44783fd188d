#include "evaluation/experiment_text.h"

#include <algorithm>

#include "base/error.h"
#include "evaluation/metric.h"
#include "evaluation/report_format.h"

namespace memlayers::evaluation {
namespace {

using base::concat;

std::string status_text(CriterionStatus status) {
  return status == CriterionStatus::kMet ? "met" : status == CriterionStatus::kMissed ? "missed" : "undecided";
}

/// A share's difference is in points, so that it is not taken for a share.
std::string value_text(const CriterionResult& result, double value) {
  if (!result.gain || !is_share(result.metric)) return metric_number(result.metric, value);
  return concat(value < 0 ? "-" : "", points_text(value), " points");
}

std::string mean_text(const std::string& metric, const Statistic& s) {
  if (s.count == 0) return "not measured";
  if (s.count == 1 || s.deviation == 0) return metric_number(metric, s.mean);
  return metric_number(metric, s.mean) + " ± " + metric_number(metric, s.deviation);
}

std::string markdown_cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string markdown(const Table& table) {
  std::string text = "|";
  for (const std::string& head : table.head) text += " " + markdown_cell(head) + " |";
  text += "\n|";
  for (size_t i = 0; i < table.head.size(); ++i) text += i == 0 ? " --- |" : " ---: |";
  text += "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const std::string& cell : row) text += " " + markdown_cell(cell) + " |";
    text += "\n";
  }
  return text;
}

std::string list(const std::string& heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return {};
  std::string text = "\n" + heading + "\n\n";
  for (const std::string& line : lines) text += "- " + line + "\n";
  return text;
}

}  // namespace

std::string verdict_text(const Experiment& experiment) {
  if (!experiment.skipped.empty()) return "skipped: " + experiment.skipped;
  const auto count = [&](CriterionStatus status) {
    return std::count_if(experiment.criteria.begin(), experiment.criteria.end(),
                         [&](const CriterionResult& result) { return result.status == status; });
  };
  std::string text = concat(count(CriterionStatus::kMet), " of ", experiment.criteria.size(), " criteria met");
  if (const auto missed = count(CriterionStatus::kMissed)) text += concat(", ", missed, " missed");
  if (const auto open = count(CriterionStatus::kUndecided)) text += concat(", ", open, " undecided");
  return text;
}

Table criteria_table(const Experiment& experiment) {
  Table table{
      "Criteria, written before the runs", {"criterion", "verdict", "mean", "95% interval", "seeds", "note"}, {}};
  for (const CriterionResult& result : experiment.criteria) {
    const auto text = [&](double value) { return value_text(result, value); };
    table.rows.push_back({result.name, status_text(result.status), result.value ? text(*result.value) : "n/a",
                          result.low && result.high ? text(*result.low) + " to " + text(*result.high) : "n/a",
                          std::to_string(result.seeds), result.note});
  }
  return table;
}

Table variants_table(const Experiment& experiment) {
  const Comparison& comparison = experiment.comparison;
  Table table{
      "Every variant: mean ± sample deviation over seeds", {"variant", "seeds", "parameters", "FLOPs a token"}, {}};
  for (const std::string& metric : experiment.metrics) table.head.push_back(metric_label(metric));
  for (const std::string& variant : comparison.variants) {
    const Statistic parameters = metric_statistic(comparison, variant, "parameters");
    if (parameters.count == 0) continue;
    std::vector<std::string> row{variant_label(variant), std::to_string(parameters.count), metric_text(parameters.mean),
                                 metric_text(metric_statistic(comparison, variant, "flops_per_token").mean)};
    for (const std::string& metric : experiment.metrics)
      row.push_back(mean_text(metric, metric_statistic(comparison, variant, metric)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string experiment_text(const Experiment& experiment) {
  const Comparison& comparison = experiment.comparison;
  std::string text = "# " + comparison.title + "\n\n";
  if (!comparison.description.empty()) text += comparison.description + "\n\n";
  if (!experiment.paper.empty()) text += "In the paper: " + experiment.paper + ".\n\n";
  text += concat("**", verdict_text(experiment), "**\n\n", markdown(criteria_table(experiment)));
  if (!comparison.runs.empty()) text += "\n" + markdown(variants_table(experiment));
  text += list("Failed cells:", experiment.failures) + list("Data left out:", experiment.left_out);
  if (comparison.runs.empty()) return text;
  text += concat("\nMachine: ", comparison.machine, ". Commit: ", comparison.commit, ". ", comparison.date, ".\n");
  if (!experiment.scale.empty()) text += concat("Scale: ", experiment.scale, ".\n");
  return text + concat("Command: `", comparison.command, "`\n");
}

}  // namespace memlayers::evaluation
