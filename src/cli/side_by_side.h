// --jobs of compare and experiment: cells that run side by side, each in a process of this program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "experiments/compare_config.h"
#include "experiments/compare_runs.h"

namespace memlayers::cli {

class SideBySide {
 public:
  /// Adds --jobs, and --cell, which no help names: with it one such process is started.
  explicit SideBySide(CLI::App& app);
  /// Sets what belongs to them. `arguments` are what this command was called with, its name first and without --jobs;
  /// `file` is the file of settings among them. Where the run's `threads` are 0, all cores, cells share the cores.
  /// Throws UsageError: a file that only one process could read.
  void apply(const experiments::ComparePlan& plan, const std::string& file, const std::vector<std::string>& arguments,
             experiments::CompareOptions& options) const;
  bool is_cell() const { return !cell_.empty(); }
  /// Those of the options that a person gave.
  std::vector<std::string> typed() const;

 private:
  size_t jobs_ = 1;
  std::string cell_;
};

}  // namespace memlayers::cli
