// memlayers report: results.json as a page and as a table; a folder of experiments as an index; charts as PNG.
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/log.h"
#include "base/output.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "report/experiment/experiment_files.h"
#include "report/experiment/experiment_page.h"
#include "report/experiment/experiment_text.h"
#include "report/experiment/terminal_text.h"

extern char** environ;

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;

void report_comparison(const fs::path& results, const std::string& output) {
  const fs::path page = output.empty() ? results.parent_path() / "report.html" : fs::path(output);
  base::check_output_file(page);
  const auto comparison = base::load_config<results::Comparison>(results);
  base::write_text_atomically(page, report::experiment_page(results::experiment_of(comparison)));
  std::cout << report::terminal_table(comparison) << "\nThe page with all charts: " << page.string() << std::endl;
}

/// Folders under `folder` (itself included) with an experiment.json, by name.
std::vector<fs::path> experiment_folders(const fs::path& folder) {
  std::vector<fs::path> found;
  const auto take = [&](const fs::path& path) {
    if (fs::exists(path / "experiment.json")) found.push_back(path);
  };
  take(folder);
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) take(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Draws FILE.png beside each FILE.svg, three times the size, for print.
void draw_png(const fs::path& svg) {
  const std::string from = svg.string(), to = fs::path(svg).replace_extension(".png").string();
  const char* const arguments[] = {"rsvg-convert", "--zoom", "3", "--output", to.c_str(), from.c_str(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0], nullptr, nullptr, const_cast<char* const*>(arguments), environ);
  if (error != 0) {
    throw base::Error(
        "--png needs the program rsvg-convert (Debian's package librsvg2-bin), which could not be started");
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw base::Error(from + ": rsvg-convert could not draw it");
}

/// Draws everything of the experiments under `folder` again, and the index over them.
void report_experiments(const fs::path& folder, const std::string& output, bool png) {
  const std::vector<fs::path> folders = experiment_folders(folder);
  base::check(!folders.empty(), folder.string(),
              ": expected experiment.json in it or in folders below, found none; "
              "`memlayers experiment FILE` writes them");
  const fs::path index = output.empty() ? folder / "index.html" : fs::path(output);
  base::check_output_file(index);
  std::vector<report::IndexEntry> entries;
  for (const fs::path& path : folders) {
    entries.push_back({fs::relative(path / "report.html", fs::absolute(index).parent_path()).generic_string(),
                       report::read_experiment(path)});
    const results::Experiment& experiment = entries.back().experiment;
    report::write_experiment_files(experiment, path);
    std::cout << experiment.name << ": " << report::verdict_text(experiment) << "\n";
    if (!png || !fs::exists(path / "figures")) continue;
    for (const auto& file : fs::directory_iterator(path / "figures")) {
      if (file.path().extension() == ".svg") draw_png(file.path());
    }
  }
  base::write_text_atomically(index, report::index_page(entries));
  std::cout << "\nThe index: " << index.string() << std::endl;
}

}  // namespace

int run_report(int argc, char** argv) {
  CLI::App app{
      "Prints what a comparison found and writes it as one self-contained HTML page; or, of a folder of experiments, "
      "writes\n"
      "their pages, tables and charts again and an index over all.",
      "memlayers report"};
  std::string results, output;
  bool png = false;
  app.add_option("results", results, "results.json of `memlayers compare`, or the folder of experiments")
      ->required()
      ->type_name("RESULTS.json|FOLDER");
  app.add_option("-o,--output", output, "the page; default: report.html beside the results, index.html in the folder")
      ->type_name("FILE.html");
  app.add_flag("--png", png, "of experiments: draw the charts as PNG too (needs rsvg-convert)");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const bool folder = fs::is_directory(results);
  base::check(folder || !png, "--png is for a folder of experiments, whose charts are files");
  if (folder) {
    report_experiments(results, output, png);
  } else {
    report_comparison(results, output);
  }
  return 0;
}

}  // namespace memlayers::cli
