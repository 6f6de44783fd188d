// memlayers compare: several configurations on the same data, and the report on them.
#include "base/output.h"
#include "cli/build_info.h"
#include "cli/command_line.h"
#include "cli/command_text.h"
#include "cli/commands.h"
#include "cli/side_by_side.h"
#include "experiments/compare_runs.h"
#include "report/experiment/experiment_page.h"
#include "report/experiment/terminal_text.h"

namespace memlayers::cli {
int run_compare(int argc, char** argv) {
  CLI::App app(
      "Trains several variants of one run on the same data in the same order, once per seed, asks each the same\n"
      "questions on the way and at the end, and reports at equal tokens, equal FLOPs and equal seconds.\n"
      "Ctrl-C saves and stops; the same command continues, and keeps the runs that are finished.",
      "memlayers compare");
  std::string config;
  std::vector<std::string> overrides;
  app.add_option("--config", config, "YAML or JSON file with the keys below")->required();
  app.add_option("KEY=VALUE", overrides, "configuration keys that override the file, e.g. run.steps=500 seeds=[1,2,3]");
  const SideBySide side_by_side(app);
  app.footer("configuration keys and defaults:\n" + base::config_help<experiments::CompareConfig>());
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const experiments::ComparePlan plan = experiments::load_compare_plan(config, overrides);
  const std::filesystem::path page = base::check_output_folder(plan.config.output).path / "report.html";
  if (std::filesystem::exists(plan.config.output)) base::check_output_file(page);
  std::vector<std::string> arguments = overrides;
  const std::vector<std::string> typed = side_by_side.typed();
  arguments.insert(arguments.end(), typed.begin(), typed.end());
  experiments::CompareOptions options;
  options.commit = program_commit();
  options.command = command_text("memlayers compare --config", config, arguments);
  std::vector<std::string> cell = {"compare", "--config", config};
  cell.insert(cell.end(), overrides.begin(), overrides.end());
  side_by_side.apply(plan, config, cell, options);
  const experiments::CompareOutcome outcome = experiments::compare_runs(plan, options);
  if (side_by_side.is_cell()) return 0;
  if (outcome.end == experiments::CompareEnd::kInterrupted) {
    std::cout << "interrupted; continue with: " << options.command << std::endl;
    return 0;
  }
  if (!outcome.comparison.runs.empty()) {
    base::write_text_atomically(page, report::experiment_page(results::experiment_of(outcome.comparison)));
    std::cout << report::terminal_table(outcome.comparison) << "\nThe page with all charts: " << page.string()
              << std::endl;
  }
  if (outcome.failures.empty() && !outcome.not_asked.empty()) throw base::Error(outcome.not_asked);
  if (outcome.failures.empty()) return 0;
  std::string failures;
  for (const std::string& failure : outcome.failures) failures += (failures.empty() ? "" : "; ") + failure;
  throw base::Error(base::concat(outcome.failures.size(), " of ", plan.cells(), " runs failed: ", failures));
}

}  // namespace memlayers::cli
