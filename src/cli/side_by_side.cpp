#include "cli/side_by_side.h"

#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/error.h"
#include "base/input_file.h"
#include "base/log.h"

namespace memlayers::cli {
namespace {

constexpr size_t kMostJobs = 1024;

void check_readable_again(const std::filesystem::path& path) {
  base::check(!base::is_read_once(path), "--jobs: ", path.string(),
              " can be read only once, and every process reads it; write it to a file");
}

}  // namespace

SideBySide::SideBySide(CLI::App& app) {
  app.add_option("--jobs", jobs_, "cells (a variant with a seed) that run at a time, each in a process of its own")
      ->check(CLI::Range(size_t{1}, kMostJobs))
      ->capture_default_str();
  app.add_option("--cell", cell_)->group("");
}

std::vector<std::string> SideBySide::typed() const {
  if (jobs_ == 1) return {};
  return {"--jobs", std::to_string(jobs_)};
}

void SideBySide::apply(const experiments::ComparePlan& plan, const std::string& file,
                       const std::vector<std::string>& arguments, experiments::CompareOptions& options) const {
  options.jobs = jobs_;
  options.cell = cell_;
  // The process that gathers the results may be killed; nobody would wait for this one then.
  if (is_cell()) prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (jobs_ == 1) return;
  check_readable_again(file);
  check_readable_again(plan.questions_path());
  options.cell_command = {"/proc/self/exe"};
  options.cell_command.insert(options.cell_command.end(), arguments.begin(), arguments.end());
  const auto jobs = static_cast<int64_t>(jobs_);
  const int64_t cores = base::core_count();
  int64_t threads = plan.config.run.threads;
  if (threads == 0) {
    threads = std::max<int64_t>(1, cores / jobs);
    options.cell_command.push_back(base::concat("run.threads=", threads));
  }
  if (jobs * threads > cores) {
    base::log_warning(base::concat("--jobs: ", jobs, " cells of ", threads, threads == 1 ? " thread" : " threads",
                                   " are more than the ", cores, cores == 1 ? " processor" : " processors",
                                   " that this process may use; they will wait for each other"));
  }
  options.cell_command.emplace_back("--cell");
}

}  // namespace memlayers::cli
