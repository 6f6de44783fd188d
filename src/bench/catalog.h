// Every benchmark by name, and the cases it consists of: shapes of the paper's models and of the quickstart.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/case.h"
#include "bench/draws.h"
#include "training/train_config.h"

namespace memlayers::bench {

/// A dense model's run, the same with memory layers, and with mixtures of experts where there are some.
struct Twins {
  std::string name;
  training::TrainConfig dense, memory;
  /// Where `memory` was trained: it goes on from there, and both read its data. Empty: both are new, and read drawn
  /// tokens.
  std::filesystem::path run = {};
  struct Mixture {
    std::string name;
    training::TrainConfig config;
  };
  std::vector<Mixture> mixtures = {};
};

struct CaseOptions {
  bool quick = false;  // few cases, small ones: to see that everything runs
  /// Training steps beside a busy core instead: all threads against one, of both twins.
  bool beside_load = false;
  /// Only cases of this dtype, and models computing in it. Empty: all cases, and models as they are configured.
  std::string dtype = {};
  TrainedReads trained = {};
  std::vector<Twins> twins = {};  // of train_step, decode and train_memory
};

struct Benchmark {
  const char* name;
  const char* summary;
  bool needs_twins;  // CaseOptions::twins
  std::vector<Case> (*cases)(const CaseOptions&);
};

/// In the order in which they run.
const std::vector<Benchmark>& benchmarks();

/// Whether any of the named benchmarks (of all, where none is named) needs twins. Throws UsageError as cases_of does.
bool needs_twins(const std::vector<std::string>& names);

/// Cases of the named benchmarks (of all, where none is named) in the order of benchmarks(). Throws UsageError: an
/// unknown name, with the nearest; options that leave no case.
std::vector<Case> cases_of(const std::vector<std::string>& names, const CaseOptions& options);

std::vector<Case> selection_cases(const CaseOptions& options);
std::vector<Case> selection_backward_cases(const CaseOptions& options);
std::vector<Case> bag_forward_cases(const CaseOptions& options);
std::vector<Case> bag_weight_gradient_cases(const CaseOptions& options);
std::vector<Case> bag_backward_update_cases(const CaseOptions& options);
std::vector<Case> train_step_cases(const CaseOptions& options);
std::vector<Case> decode_cases(const CaseOptions& options);
std::vector<Case> train_memory_cases(const CaseOptions& options);

}  // namespace memlayers::bench
