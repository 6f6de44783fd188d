#include "report/experiment/experiment_files.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/output.h"
#include "report/experiment/experiment_page.h"
#include "report/experiment/experiment_text.h"
#include "report/experiment/figures.h"
#include "report/page/standalone_svg.h"
#include "results/metric.h"

namespace memlayers::report {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kExperimentFile = "experiment.json";

std::string dump(const Json& json) { return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"; }

/// A field as RFC 4180 writes it.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

/// In the order of first mention, the general ones first.
std::vector<std::string> all_metrics(const results::Experiment& experiment) {
  std::vector<std::string> names = results::general_metrics();
  std::set<std::string> known(names.begin(), names.end());
  const auto add = [&](const std::string& name) {
    if (known.insert(name).second) names.push_back(name);
  };
  for (const std::string& metric : experiment.metrics) add(metric);
  for (const results::RunResult& run : experiment.comparison.runs) {
    for (const results::Measure& measure : run.measures) add(measure.name);
  }
  return names;
}

}  // namespace

std::string criteria_json(const results::Experiment& experiment) {
  Json list = Json::array();
  for (const results::CriterionResult& result : experiment.criteria) {
    Json met;  // null: undecided
    if (result.status != results::CriterionStatus::kUndecided) met = result.status == results::CriterionStatus::kMet;
    Json interval;
    if (result.low && result.high) interval = {*result.low, *result.high};
    list.push_back({{"name", result.name},
                    {"metric", result.metric},
                    {"met", met},
                    {"value", number_or_null(result.value)},
                    {"interval", interval},
                    {"seeds", result.seeds},
                    {"note", experiment.skipped.empty() ? result.note : "skipped: " + experiment.skipped}});
  }
  return dump(list);
}

std::string results_csv(const results::Experiment& experiment) {
  std::string text = "variant,seed,metric,value\n";
  const std::vector<std::string> metrics = all_metrics(experiment);
  for (const std::string& variant : experiment.comparison.variants) {
    for (const results::RunResult& run : experiment.comparison.runs) {
      if (run.variant != variant) continue;
      for (const std::string& metric : metrics) {
        const std::optional<double> value = results::metric_value(run, metric);
        if (!value) continue;
        text += base::concat(csv_field(variant), ",", run.seed, ",", csv_field(metric), ",", Json(*value).dump(), "\n");
      }
    }
  }
  return text;
}

void write_experiment_files(const results::Experiment& experiment, const std::filesystem::path& folder) {
  const std::filesystem::path charts = folder / "figures";
  base::make_folder(charts);
  for (const auto& file : std::filesystem::directory_iterator(charts)) {
    if (file.path().filename().string().starts_with("chart-")) std::filesystem::remove(file.path());
  }
  for (const auto& [kind, name] : enum_names(results::FigureKind{})) {
    for (const Figure& figure : experiment_figures(experiment, kind)) {
      const std::string file = figure.id.starts_with("chart-") ? figure.id : "chart-" + figure.id;
      base::write_text_atomically(charts / (file + ".svg"), standalone_svg(figure.svg));
    }
  }
  base::write_text_atomically(folder / "criteria.json", criteria_json(experiment));
  base::write_text_atomically(folder / "results.csv", results_csv(experiment));
  base::write_text_atomically(folder / "results.md", experiment_text(experiment));
  base::write_text_atomically(folder / "report.html", experiment_page(experiment));
  if (!experiment.comparison.runs.empty())
    base::write_text_atomically(
        folder / "runs.html",
        experiment_page(results::experiment_of(experiment.comparison, results::criteria_metric(experiment.criteria))));
  base::write_text_atomically(folder / kExperimentFile, dump(base::config_to_json(experiment)));
}

results::Experiment read_experiment(const std::filesystem::path& folder) {
  return base::load_config<results::Experiment>(folder / kExperimentFile);
}

}  // namespace memlayers::report
