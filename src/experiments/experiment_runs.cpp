#include "experiments/experiment_runs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "data/prepare.h"
#include "data/shards/prepared_data.h"
#include "experiments/experiment_measures.h"
#include "report/experiment/experiment_files.h"
#include "results/criteria.h"

namespace memlayers::experiments {
namespace {

using base::concat;

std::string missing_file(const std::vector<std::string>& files) {
  const auto missing =
      std::find_if(files.begin(), files.end(), [](const std::string& file) { return !std::filesystem::exists(file); });
  return missing == files.end() ? std::string() : *missing;
}

std::string missing_input(const data::PrepareConfig& config) {
  std::vector<std::string> files;
  for (const data::PrepareSource& source : config.sources) {
    if (!source.path.empty()) files.push_back(source.path);
    if (!source.patterns.empty()) files.push_back(source.patterns);
  }
  return missing_file(files);
}

bool same_folder(const std::filesystem::path& a, const std::filesystem::path& b) {
  return (a / "").lexically_normal() == (b / "").lexically_normal();
}

/// Trains and measures without the data in `folder`.
void leave_out(ExperimentPlan& plan, const std::string& folder) {
  const auto drop = [&](data::LoaderConfig& loader) {
    std::erase_if(loader.sources, [&](const data::SourceConfig& source) { return same_folder(source.path, folder); });
  };
  drop(plan.compare.config.run.data);
  for (training::TrainConfig& run : plan.compare.runs) drop(run.data);
  std::erase_if(plan.config.losses, [&](const HeldOutLoss& loss) { return same_folder(loss.path, folder); });
  if (same_folder(plan.config.capacity.path, folder)) plan.config.capacity = {};
}

/// Prepares what is not there. Returns what was left out.
std::vector<std::string> prepare_data(ExperimentPlan& plan) {
  std::vector<std::string> left_out;
  for (const ExperimentData& data : plan.config.prepared) {
    const std::string missing = data.optional ? missing_input(data.prepare) : std::string();
    if (missing.empty()) data::prepare(data.prepare);
    // Prepared while the input was there, it is used as it is.
    if (missing.empty() || std::filesystem::exists(std::filesystem::path(data.prepare.output) / data::kPrepareFile))
      continue;
    left_out.push_back(concat(data.prepare.output, ": ", missing, " is not there"));
    base::log_warning(left_out.back() + "; the experiment goes on without these data");
    leave_out(plan, data.prepare.output);
  }
  return left_out;
}

void check_wanted(const ExperimentPlan& plan, const CompareOptions& options) {
  for (const std::string& name : options.only) {
    const auto& variants = plan.config.variants;
    base::check(std::any_of(variants.begin(), variants.end(), [&](const auto& v) { return v.name == name; }),
                "--only: there is no variant '", name, "'");
  }
}

class Experimenter {
 public:
  Experimenter(ExperimentPlan plan, const CompareOptions& options) : plan_(std::move(plan)), options_(options) {
    results::Experiment& experiment = outcome_.experiment;
    experiment.name = plan_.name;
    experiment.paper = plan_.config.paper;
    experiment.scale = plan_.config.scale;
    experiment.figures = plan_.config.figures;
    experiment.published = plan_.config.published;
    experiment.comparison.title = plan_.config.title;
    experiment.comparison.description = plan_.config.description;
    experiment.comparison.baseline = plan_.config.baseline;
    experiment.comparison.commit = options.commit;
    experiment.comparison.command = options.command;
  }

  ExperimentOutcome run() {
    check_wanted(plan_, options_);
    const std::string missing = missing_file(plan_.config.requires_files);
    if (!missing.empty()) {
      outcome_.experiment.skipped = missing + " is not there";
    } else {
      outcome_.experiment.left_out = prepare_data(plan_);
      check_measures(plan_.config);  // before hours of training
      compare();
    }
    outcome_.experiment.metrics = plan_.config.metrics;
    const auto seeds = static_cast<int64_t>(plan_.config.seeds.size());
    for (const results::CriterionSpec& criterion : plan_.config.criteria) {
      outcome_.experiment.criteria.push_back(results::decide(criterion, outcome_.experiment.comparison, seeds));
    }
    // What was measured while the files were there is not replaced by a page that says they are not.
    const std::filesystem::path output = plan_.config.output;
    const bool measured = std::filesystem::exists(output / "compare.json");
    if (missing.empty() || !measured) report::write_experiment_files(outcome_.experiment, output);
    return std::move(outcome_);
  }

 private:
  void compare() {
    CompareOptions options = options_;
    nlohmann::ordered_json wanted;  // of another text, finished cells lack something
    for (const HeldOutLoss& loss : plan_.config.losses) wanted.push_back(base::config_to_json(loss));
    if (!plan_.config.capacity.path.empty()) wanted.push_back(base::config_to_json(plan_.config.capacity));
    if (!wanted.empty()) {
      options.measure_identity = wanted.dump();
      options.measure = [this](model::Transformer& model, const training::TrainConfig& run) {
        return measure(plan_.config, model, run);
      };
    }
    CompareOutcome compared = compare_runs(plan_.compare, options);
    outcome_.end = compared.end;
    outcome_.not_asked = std::move(compared.not_asked);
    outcome_.experiment.comparison = std::move(compared.comparison);
    outcome_.experiment.failures = std::move(compared.failures);
  }

  ExperimentPlan plan_;
  CompareOptions options_;
  ExperimentOutcome outcome_;
};

}  // namespace

ExperimentOutcome run_experiment(ExperimentPlan plan, const CompareOptions& options) {
  return Experimenter(std::move(plan), options).run();
}

}  // namespace memlayers::experiments
