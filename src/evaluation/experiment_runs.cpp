#include "evaluation/experiment_runs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "data/prepare.h"
#include "evaluation/criteria.h"
#include "evaluation/experiment_files.h"
#include "evaluation/held_out_loss.h"

namespace memlayers::evaluation {
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

/// Trains and measures without the data in `folder`.
void leave_out(ExperimentPlan& plan, const std::string& folder) {
  const auto drop = [&](data::LoaderConfig& loader) {
    std::erase_if(loader.sources, [&](const data::SourceConfig& source) { return source.path == folder; });
  };
  drop(plan.compare.config.run.data);
  for (training::TrainConfig& run : plan.compare.runs) drop(run.data);
  std::erase_if(plan.config.losses, [&](const HeldOutLoss& loss) { return loss.path == folder; });
}

/// Prepares what is not there. Returns what was left out.
std::vector<std::string> prepare_data(ExperimentPlan& plan) {
  std::vector<std::string> left_out;
  for (const ExperimentData& data : plan.config.prepared) {
    const std::string missing = data.optional ? missing_input(data.prepare) : std::string();
    if (missing.empty()) {
      data::prepare(data.prepare);
      continue;
    }
    left_out.push_back(concat(data.prepare.output, ": ", missing, " is not there"));
    base::log_warning(left_out.back() + "; the experiment goes on without these data");
    leave_out(plan, data.prepare.output);
  }
  return left_out;
}

/// Before hours of training: can the losses in the end be measured, and do the wanted variants exist?
void check_ahead(const ExperimentPlan& plan, const CompareOptions& options) {
  for (const HeldOutLoss& loss : plan.config.losses) held_out_loader(plan.config.run.data, loss.path);
  for (const std::string& name : options.only) {
    const auto& variants = plan.config.variants;
    base::check(std::any_of(variants.begin(), variants.end(), [&](const auto& v) { return v.name == name; }),
                "--only: there is no variant '", name, "'");
  }
}

class Experimenter {
 public:
  Experimenter(ExperimentPlan plan, const CompareOptions& options) : plan_(std::move(plan)), options_(options) {
    Experiment& experiment = outcome_.experiment;
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
    const std::string missing = missing_file(plan_.config.requires_files);
    if (!missing.empty()) {
      outcome_.experiment.skipped = missing + " is not there";
    } else {
      outcome_.experiment.left_out = prepare_data(plan_);
      check_ahead(plan_, options_);
      compare();
    }
    outcome_.experiment.metrics = plan_.config.metrics;
    for (const CriterionSpec& criterion : plan_.config.criteria) {
      outcome_.experiment.criteria.push_back(decide(criterion, outcome_.experiment.comparison));
    }
    if (!missing.empty() || !outcome_.experiment.comparison.runs.empty())
      write_experiment_files(outcome_.experiment, plan_.config.output);
    return std::move(outcome_);
  }

 private:
  void compare() {
    CompareOptions options = options_;
    if (!plan_.config.losses.empty()) {
      nlohmann::ordered_json losses;
      for (const HeldOutLoss& loss : plan_.config.losses) losses.push_back(base::config_to_json(loss));
      options.measure_identity = losses.dump();
      options.measure = [this](model::Transformer& model, const training::TrainConfig& run) {
        return measure(model, run);
      };
    }
    CompareOutcome compared = compare_runs(plan_.compare, options);
    outcome_.end = compared.end;
    outcome_.experiment.comparison = std::move(compared.comparison);
    outcome_.experiment.failures = std::move(compared.failures);
  }

  std::optional<std::vector<Measure>> measure(model::Transformer& model, const training::TrainConfig& run) const {
    std::vector<Measure> measures;
    for (const HeldOutLoss& loss : plan_.config.losses) {
      const auto value = held_out_loss(model, run.data, loss.path, loss.batches);
      if (!value) return std::nullopt;
      measures.push_back({loss.name, *value});
    }
    return measures;
  }

  ExperimentPlan plan_;
  CompareOptions options_;
  ExperimentOutcome outcome_;
};

}  // namespace

ExperimentOutcome run_experiment(ExperimentPlan plan, const CompareOptions& options) {
  return Experimenter(std::move(plan), options).run();
}

}  // namespace memlayers::evaluation
