#include "report/experiment/experiment_text.h"

#include <algorithm>

#include "base/error.h"
#include "report/experiment/figures.h"
#include "report/experiment/metric_bars.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;

std::string status_text(results::CriterionStatus status) {
  return status == results::CriterionStatus::kMet      ? "met"
         : status == results::CriterionStatus::kMissed ? "missed"
                                                       : "undecided";
}

/// A share's difference is in points, so that it is not taken for a share.
std::string value_text(const results::CriterionResult& result, double value) {
  if (!result.gain || !results::is_share(result.metric)) return results::metric_number(result.metric, value);
  return concat(value < 0 ? "-" : "", results::points_text(value), " points");
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

std::string verdict_text(const results::Experiment& experiment) {
  if (!experiment.skipped.empty()) return "skipped: " + experiment.skipped;
  const auto count = [&](results::CriterionStatus status) {
    return std::count_if(experiment.criteria.begin(), experiment.criteria.end(),
                         [&](const results::CriterionResult& result) { return result.status == status; });
  };
  std::string text = concat(count(results::CriterionStatus::kMet), " of ", experiment.criteria.size(), " criteria met");
  if (const auto missed = count(results::CriterionStatus::kMissed)) text += concat(", ", missed, " missed");
  if (const auto open = count(results::CriterionStatus::kUndecided)) text += concat(", ", open, " undecided");
  return text;
}

Table criteria_table(const results::Experiment& experiment) {
  Table table{
      "Criteria, written before the runs", {"criterion", "verdict", "mean", "95% interval", "seeds", "note"}, {}};
  for (const results::CriterionResult& result : experiment.criteria) {
    const auto text = [&](double value) { return value_text(result, value); };
    table.rows.push_back({result.name, status_text(result.status), result.value ? text(*result.value) : "n/a",
                          result.low && result.high ? text(*result.low) + " to " + text(*result.high) : "n/a",
                          std::to_string(result.seeds), result.note});
  }
  return table;
}

Table variants_table(const results::Experiment& experiment) {
  const results::Comparison& comparison = experiment.comparison;
  Table table{
      "Every variant: mean ± sample deviation over seeds", {"variant", "seeds", "parameters", "FLOPs a token"}, {}};
  for (const std::string& metric : experiment.metrics) table.head.push_back(results::metric_label(metric));
  for (const std::string& variant : comparison.variants) {
    const results::Statistic parameters = results::metric_statistic(comparison, variant, "parameters");
    if (parameters.count == 0) continue;
    std::vector<std::string> row{
        results::variant_label(variant), std::to_string(parameters.count), results::metric_text(parameters.mean),
        results::metric_text(results::metric_statistic(comparison, variant, "flops_per_token").mean)};
    for (const std::string& metric : experiment.metrics)
      row.push_back(mean_text(metric, results::metric_statistic(comparison, variant, metric)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table runs_table(const results::Experiment& experiment) {
  std::vector<std::string> metrics{"tokens", "seconds"};
  for (const std::string& metric : experiment.metrics) {
    if (metric != "table_parameters") metrics.push_back(metric);
  }
  Table table{"Every run", {"model", "seed"}, {}};
  for (const std::string& metric : metrics) table.head.push_back(results::metric_label(metric));
  for (const std::string& variant : experiment.comparison.variants) {
    for (const results::RunResult& run : experiment.comparison.runs) {
      if (run.variant != variant) continue;
      std::vector<std::string> row{results::variant_label(variant), std::to_string(run.seed)};
      for (const std::string& metric : metrics) {
        const std::optional<double> value = results::metric_value(run, metric);
        row.push_back(value ? results::metric_number(metric, *value) : "not measured");
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

std::string experiment_text(const results::Experiment& experiment) {
  const results::Comparison& comparison = experiment.comparison;
  std::string text = "# " + comparison.title + "\n\n";
  if (!comparison.description.empty()) text += comparison.description + "\n\n";
  if (!experiment.paper.empty()) text += "In the paper: " + experiment.paper + ".\n\n";
  text += concat("**", verdict_text(experiment), "**\n\n", markdown(criteria_table(experiment)));
  if (!comparison.runs.empty()) text += "\n" + markdown(variants_table(experiment));
  for (const Figure& figure : experiment_figures(experiment, results::FigureKind::kAnswers)) {
    for (const Table& table : figure.tables) text += concat("\n", table.caption, ":\n\n", markdown(table));
  }
  text += list("Failed cells:", experiment.failures) + list("Data left out:", experiment.left_out);
  if (comparison.runs.empty()) return text;
  text += concat("\nMachine: ", comparison.machine, ". Commit: ", comparison.commit, ". ", comparison.date, ".\n");
  if (!experiment.scale.empty()) text += concat("Scale: ", experiment.scale, ".\n");
  return text + concat("Command: `", comparison.command, "`\n");
}

}  // namespace memlayers::report
