// memlayers experiment: data, runs, seeds and criteria out of one file.
#include "base/joined.h"
#include "base/output.h"
#include "cli/build_info.h"
#include "cli/command_line.h"
#include "cli/command_text.h"
#include "cli/commands.h"
#include "cli/side_by_side.h"
#include "experiments/experiment_runs.h"
#include "report/experiment/experiment_text.h"

namespace memlayers::cli {
namespace {

/// The names of failed cells; their reasons were printed when they failed, and stand on the page.
std::string cell_names(const std::vector<std::string>& failures) {
  std::string text;
  for (const std::string& failure : failures) text += (text.empty() ? "" : ", ") + failure.substr(0, failure.find(':'));
  return text;
}

}  // namespace

int run_experiment(int argc, char** argv) {
  CLI::App app(
      "Runs an experiment: prepares its data, trains every variant with every seed, asks and measures each, and "
      "decides the\n"
      "criteria that the file states. Writes report.html, runs.html, results.md, results.csv, criteria.json and the "
      "charts\n"
      "as SVG into its output folder. Ctrl-C saves and stops; the same command continues, and keeps finished cells.",
      "memlayers experiment");
  std::string file;
  std::vector<std::string> overrides, only;
  app.add_option("FILE", file, "YAML file with the keys below (experiments/*.yaml)")->required();
  app.add_option("KEY=VALUE", overrides, "keys that override the file, e.g. scale=paper seeds=[1,2,3] run.steps=500");
  app.add_option("--only", only, "run the cells of these variants only; others that are finished are still shown")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->type_name("VARIANT,...");
  const SideBySide side_by_side(app);
  app.footer("configuration keys and defaults:\n" + base::config_help<experiments::ExperimentConfig>());
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const experiments::ExperimentPlan plan = experiments::load_experiment_plan(file, overrides);
  const std::filesystem::path output = plan.config.output;
  base::check_output_folder(output);
  const size_t cells = plan.compare.cells();
  std::vector<std::string> arguments = overrides;
  if (!only.empty()) arguments.insert(arguments.end(), {"--only", base::joined(only, ",")});
  const std::vector<std::string> typed = side_by_side.typed();
  arguments.insert(arguments.end(), typed.begin(), typed.end());
  const std::string command = command_text("memlayers experiment", file, arguments);
  experiments::CompareOptions options;
  options.commit = program_commit();
  options.command = command;
  options.only = only;
  std::vector<std::string> cell = {"experiment", file};
  cell.insert(cell.end(), overrides.begin(), overrides.end());
  side_by_side.apply(plan.compare, file, cell, options);
  const experiments::ExperimentOutcome outcome = experiments::run_experiment(plan, options);
  if (side_by_side.is_cell()) return 0;
  const results::Experiment& experiment = outcome.experiment;
  if (outcome.end == experiments::CompareEnd::kInterrupted) {
    std::cout << "interrupted; continue with: " << command << std::endl;
    return 0;
  }
  std::cout << report::experiment_text(experiment) << "\nThe page: " << (output / "report.html").string() << std::endl;
  if (experiment.failures.empty() && !outcome.not_asked.empty()) throw base::Error(outcome.not_asked);
  if (experiment.failures.empty()) return 0;
  throw base::Error(
      base::concat(experiment.failures.size(), " of ", cells, " cells failed: ", cell_names(experiment.failures)));
}

}  // namespace memlayers::cli
