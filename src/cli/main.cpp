// The program: finds the command, and turns whatever it throws into one line on stderr and an exit status.
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <new>
#include <vector>

#include "base/config_reader.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "cli/brief_waits.h"
#include "cli/build_info.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/standard_streams.h"

namespace memlayers::cli {
namespace {

struct Command {
  const char* name;
  int (*run)(int, char**);
  bool computes;       // with torch's threads
  bool prints_result;  // else it writes files, and says which
  const char* summary;
};

constexpr Command kCommands[] = {
    {"prepare", run_prepare, false, false, "turn JSONL, text or built-in fact sources into token shards and questions"},
    {"train", run_train, true, false, "train a model from a configuration; stop it any time and --resume"},
    {"eval", run_eval, true, true, "ask a trained model closed-book questions"},
    {"generate", run_generate, true, true, "continue prompts with a trained model"},
    {"compare", run_compare, true, false, "train several configurations on the same data, ask all, write report.html"},
    {"experiment", run_experiment, true, false,
     "run an experiment's file: data, runs, seeds, and criteria written before"},
    {"report", run_report, false, false, "write report.html again from results.json, or the index of all experiments"},
    {"inspect", run_inspect, true, true,
     "look into a trained model's tables: use, dead and hot slots, drift, what lights them"},
    {"capacity", run_capacity, true, true, "count the bits of synthetic biographies that a trained model holds"},
    {"import", run_import, true, false, "a Hugging Face folder to a model folder, with memory layers added if wanted"},
    {"export", run_export, true, false, "a trained model to a Hugging Face folder"},
    {"tokenize", run_tokenize, false, true, "what a model sees of a text: token ids and pieces, and back"},
    {"plan", run_plan, false, true, "parameters, FLOPs and bytes of a configuration, without allocating them"},
    {"bench", run_bench, true, true, "time the parts against torch, a dense model and the machine's limits"},
};

void print_usage(std::ostream& out) {
  out << "memlayers: language models with trainable product-key memory layers\n\n"
         "usage: memlayers COMMAND [options]\n\ncommands:\n";
  for (const Command& command : kCommands) {
    out << "  " << command.name << std::string(12 - std::strlen(command.name), ' ') << command.summary << '\n';
  }
  out << "\nmemlayers COMMAND --help explains a command and its configuration keys; memlayers --version names this "
         "build.\n"
         "Exit status: 0 done, 1 failed, 2 called wrongly.\n";
}

const Command* find_command(const std::string& name) {
  for (const Command& command : kCommands) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

[[noreturn]] void fail_unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  const std::string nearest = base::nearest_name(name, names);
  throw base::UsageError(base::concat("no command '", name, "'",
                                      nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?",
                                      " (memlayers --help lists all)"));
}

/// More threads than processors wait for each other at every operation. libgomp and torch read the environment when
/// they are loaded, so the program starts over with what is useful.
void lower_threads_of_environment(char** argv) {
  bool lowered = false;
  for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const long long wanted = text == nullptr ? 0 : std::strtoll(text, nullptr, 10);
    if (wanted <= 0 || wanted == base::useful_threads(wanted)) continue;
    setenv(name, std::to_string(base::useful_threads(wanted)).c_str(), 1);
    lowered = true;
  }
  if (lowered) execv("/proc/self/exe", argv);
}

/// Threads that wait for each other's parts of a product should spin for a moment only. By default they spin for
/// milliseconds: where another process wants the cores too, they do so in the way of the very thread they wait for, and
/// training runs at a fifth of its speed. Sleeping at once costs as much where nobody else does: waking a thread takes
/// longer than most operations of a small model. libgomp reads this once, when it is loaded, so the program starts over
/// with it; beside a load that stays, BriefWaits takes over.
void let_waiting_threads_spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "10000", 1);  // some 0.4 ms
  execv("/proc/self/exe", argv);         // returns only where there is no /proc: then it goes on as it is
}

int run_command(int argc, char** argv) {
  if (argc < 2) {
    print_usage(std::cerr);
    return 2;
  }
  const std::string name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(std::cout);
    return 0;
  }
  if (name == "--version") {
    std::cout << "memlayers " << program_version() << " (" << program_commit() << ")\n";
    return 0;
  }
  const Command* command = find_command(name);
  if (command == nullptr) fail_unknown(name);
  check_standard_output(command->prints_result);
  if (!command->computes) return command->run(argc - 1, argv + 1);
  lower_threads_of_environment(argv);
  let_waiting_threads_spin_briefly(argv);
  const BriefWaits waits;
  return command->run(argc - 1, argv + 1);
}

/// Every step allocates what the step before has freed; given back to the kernel in between, each page would be cleared
/// and mapped anew.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest value that glibc takes
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

constexpr const char* kOutOfMemory =
    "not enough memory; a smaller batch, sequence or table needs less (memlayers plan shows how much)";

/// An error as one line: torch's messages carry a trace after their first line, and its allocator's are not for people.
void report(const char* command, std::string message) {
  message = message.substr(0, message.find('\n'));
  if (message.find("can't allocate memory") != std::string::npos) message = kOutOfMemory;
  std::cerr << "memlayers" << (*command != '\0' ? " " : "") << command << ": " << message << std::endl;
}

}  // namespace
}  // namespace memlayers::cli

int main(int argc, char** argv) {
  using namespace memlayers;
  cli::keep_freed_memory();
  std::signal(SIGPIPE, SIG_DFL);  // `memlayers ... | head` ends quietly
  const char* command = argc > 1 && cli::find_command(argv[1]) != nullptr ? argv[1] : "";
  try {
    base::watch_for_interrupt();
    const int status = cli::run_command(argc, argv);
    std::cout.flush();
    if (!std::cout) throw base::Error("standard output: could not be written");
    return status;
  } catch (const base::UsageError& error) {
    cli::report(command, error.what());
    return 2;
  } catch (const CLI::ParseError& error) {
    cli::report(command, error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    cli::report(command, cli::kOutOfMemory);
    return 1;
  } catch (const std::exception& error) {
    cli::report(command, error.what());
    return 1;
  }
}
