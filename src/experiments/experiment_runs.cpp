#include "experiments/experiment_runs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "data/prepare.h"
#include "data/shards/prepared_data.h"
#include "data/sources/line_reader.h"
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

/// "PATH is not there; fetch it from ... (license ...)".
std::string told(const RequiredFile& file, const std::string& fault) {
  std::string text = file.path + " " + fault;
  if (!file.from.empty()) text += "; " + file.from;
  if (!file.license.empty()) text += " (license: " + file.license + ")";
  return text;
}

/// The first of the files that is not there, in words; empty where all are. Throws base::Error: one holds something
/// else than the experiment was made with.
std::string missing_requirement(const std::vector<RequiredFile>& files) {
  for (const RequiredFile& file : files) {
    if (!std::filesystem::exists(file.path)) return told(file, "is not there");
    if (file.hash.empty()) continue;
    const std::string hash = base::hash_text(data::hash_lines(file.path));
    if (hash != file.hash) {
      throw base::Error(told(file, concat("is not the file that this experiment was made with (its lines hash to ",
                                          hash, ", expected ", file.hash, ")")));
    }
  }
  return {};
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

/// How many seeds all variants of the criterion are trained with.
int64_t common_seeds(const ExperimentPlan& plan, const results::CriterionSpec& criterion) {
  std::set<uint64_t> common(plan.config.seeds.begin(), plan.config.seeds.end());
  for (size_t v = 0; v < plan.config.variants.size(); ++v) {
    const auto& order = criterion.order;
    if (std::find(order.begin(), order.end(), plan.config.variants[v].name) == order.end()) continue;
    const std::vector<uint64_t> seeds = plan.compare.seeds_of(v);
    std::erase_if(common, [&](uint64_t seed) { return std::find(seeds.begin(), seeds.end(), seed) == seeds.end(); });
  }
  return static_cast<int64_t>(common.size());
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
    if (!options_.cell.empty()) return run_cell();
    const std::string missing = missing_requirement(plan_.config.requires_files);
    if (!missing.empty()) {
      outcome_.experiment.skipped = missing;
    } else {
      outcome_.experiment.left_out = prepare_data(plan_);
      check_measures(plan_.config);  // before hours of training
      compare();
    }
    outcome_.experiment.metrics = plan_.config.metrics;
    for (const results::CriterionSpec& criterion : plan_.config.criteria) {
      outcome_.experiment.criteria.push_back(
          results::decide(criterion, outcome_.experiment.comparison, common_seeds(plan_, criterion)));
    }
    add_beside();
    // What was measured while the files were there is not replaced by a page that says they are not.
    const std::filesystem::path output = plan_.config.output;
    const bool measured = std::filesystem::exists(output / "compare.json");
    if (missing.empty() || !measured) report::write_experiment_files(outcome_.experiment, output);
    return std::move(outcome_);
  }

 private:
  /// For another process, which has checked what is required, decides the criteria and writes the pages.
  ExperimentOutcome run_cell() {
    prepare_data(plan_);
    compare();
    return std::move(outcome_);
  }

  /// Runs of the experiments named in `beside`, as far as they have any.
  void add_beside() {
    for (const std::string& folder : plan_.config.beside) {
      const std::filesystem::path path = std::filesystem::path(folder) / "results.json";
      if (!std::filesystem::exists(path)) continue;
      for (results::RunResult& run : base::load_config<results::Comparison>(path).runs) {
        run.variant = concat(beside_name(folder), "/", run.variant);
        outcome_.experiment.beside.push_back(std::move(run));
      }
    }
  }

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
