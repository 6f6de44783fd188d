// memlayers report: results.json as a page and as a table.
#include "base/file.h"
#include "base/log.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "evaluation/report_html.h"
#include "evaluation/terminal_table.h"

namespace memlayers::cli {

int run_report(int argc, char** argv) {
  CLI::App app{"Prints what a comparison found and writes it as one self-contained HTML page.", "memlayers report"};
  std::string results, output;
  app.add_option("results", results, "results.json of `memlayers compare`")->required()->type_name("RESULTS.json");
  app.add_option("-o,--output", output, "the page; default: report.html beside the results")->type_name("FILE.html");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const auto comparison = base::load_config<evaluation::Comparison>(results);
  const std::filesystem::path page =
      output.empty() ? std::filesystem::path(results).parent_path() / "report.html" : std::filesystem::path(output);
  base::write_text_atomically(page, evaluation::report_html(comparison));
  std::cout << evaluation::terminal_table(comparison) << "\nThe page with all charts: " << page.string() << std::endl;
  return 0;
}

}  // namespace memlayers::cli
