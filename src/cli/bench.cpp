// memlayers bench: how fast the parts are, against torch, against a dense model and against the machine's limits.
#include <unistd.h>

#include "bench/catalog.h"
#include "bench/run.h"
#include "bench/trained_reads.h"
#include "cli/bench_twins.h"
#include "cli/command_line.h"
#include "cli/commands.h"

namespace memlayers::cli {
namespace {

struct BenchCommand {
  std::vector<std::string> names;
  std::string run, config, dtype;
  bool json = false, list = false, quick = false, beside_load = false;
  int threads = 0;
};

void print_list() {
  for (const bench::Benchmark& each : bench::benchmarks()) {
    std::cout << each.name << std::string(22 - std::string(each.name).size(), ' ') << each.summary << '\n';
  }
  std::cout << std::flush;
}

bench::CaseOptions case_options(const BenchCommand& command) {
  bench::CaseOptions options;
  options.quick = command.quick;
  options.dtype = command.dtype;
  options.beside_load = command.beside_load;
  base::check(!command.beside_load || (command.names == std::vector<std::string>{"train_step"} && command.run.empty()),
              "bench: --beside-load is of train_step alone, on drawn tokens: memlayers bench train_step --beside-load");
  if (bench::needs_twins(command.names)) {
    options.twins =
        command.config.empty() ? usual_twins(command.quick) : std::vector<bench::Twins>{twins_of(command.config)};
  }
  if (command.run.empty()) return options;
  options.trained = bench::trained_reads(command.run);
  options.twins.push_back(bench::twins_of_run(command.run));
  return options;
}

bench::RunOptions run_options(const BenchCommand& command) {
  bench::RunOptions options;
  if (command.quick) options.measure = {.seconds = 0.2, .min_pairs = 3, .max_pairs = 100, .sample = 2e-3};
  options.threads = command.threads;
  // Lines that come while a bar stands on the same terminal would be written into it; then they are the progress.
  options.progress = !(command.json && isatty(STDOUT_FILENO) != 0);
  return options;
}

}  // namespace

int run_bench(int argc, char** argv) {
  CLI::App app(
      "Times the program's parts in turns with what they compete with, and prints the medians. A ratio above 1: ours "
      "is\n"
      "faster. Against torch: the same from torch's own operations; gather_limit, copy_limit: what this machine's "
      "memory can\n"
      "do at most. Without a NAME every benchmark runs, which takes a quarter of an hour on two cores.",
      "memlayers bench");
  BenchCommand command;
  app.add_option("NAME", command.names, "what to measure; --list names all");
  app.add_flag("--list", command.list, "list the benchmarks and end");
  app.add_flag("--json", command.json, "print one JSON object a line, as they come, instead of a table");
  app.add_flag("--quick", command.quick,
               "few and small cases, each timed briefly: to see that it runs, not for numbers");
  app.add_flag("--beside-load", command.beside_load,
               "of train_step: start a busy loop pinned to one core, and time each twin with all threads against one");
  app.add_option("--threads", command.threads, "CPU threads; 0: all cores, or what a model's configuration says")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--config", command.config,
                 "a comparison's YAML, whose dense and first memory variant take the place of the usual twins");
  app.add_option("--dtype", command.dtype,
                 "only cases of this dtype, and models computing in it: float32 or bfloat16; or int8 or int4, "
                 "quantized rows of bags")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8", "int4"}));
  app.add_option("--run", command.run,
                 "output folder of a trained memory model: also with the slots that it reads, and with that model");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;
  if (command.list) {
    print_list();
    return 0;
  }
  const auto cases = bench::cases_of(command.names, case_options(command));
  const auto outcome = bench::run(cases, run_options(command), [&](const bench::Result& result) {
    if (command.json) std::cout << bench::to_json(result).dump() << std::endl;
  });
  if (!command.json) std::cout << bench::table(outcome.results) << std::flush;
  if (outcome.interrupted) std::cerr << "interrupted; what was measured is printed" << std::endl;
  if (outcome.failures.empty()) return 0;
  std::string failures;
  for (const std::string& failure : outcome.failures) failures += (failures.empty() ? "" : "; ") + failure;
  throw base::Error(failures);
}

}  // namespace memlayers::cli
