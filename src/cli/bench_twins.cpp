#include "cli/bench_twins.h"

#include "base/error.h"
#include "experiments/compare_config.h"

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;

/// configs/quickstart/compare.yaml -> quickstart, configs/bench/30m.yaml -> 30m
std::string name_of(const fs::path& comparison) {
  const std::string stem = comparison.stem().string(), folder = comparison.parent_path().filename().string();
  return stem == "compare" && !folder.empty() ? folder : stem;
}

fs::path find_config(const fs::path& relative) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path folder = program.parent_path();  // build/release of a checkout, or bin of an installation
  for (const fs::path& root : {fs::path(), folder / ".." / "..", folder / ".." / "share" / "memlayers"}) {
    if (fs::exists(root / relative)) return root / relative;
  }
  throw base::UsageError(base::concat(relative.string(),
                                      ": not found; call bench from the folder of the checkout, or name "
                                      "a comparison's file with --config"));
}

}  // namespace

bench::Twins twins_of(const fs::path& comparison) {
  const experiments::ComparePlan plan = experiments::load_compare_plan(comparison);
  const training::TrainConfig *dense = nullptr, *memory = nullptr;
  std::vector<bench::Twins::Mixture> mixtures;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const model::ModelConfig& model = plan.runs[i].model;
    const bool has_memory = !model.memory.layers.empty(), has_experts = !model.experts.layers.empty();
    if (!model.ngrams.layers.empty() || (has_memory && has_experts)) continue;  // not one thing beside a dense model
    if (has_experts) mixtures.push_back({plan.config.variants[i].name, plan.runs[i]});
    if (has_memory && memory == nullptr) memory = &plan.runs[i];
    if (!has_memory && !has_experts && dense == nullptr) dense = &plan.runs[i];
  }
  base::check(dense != nullptr && memory != nullptr, comparison.string(),
              ": expected a variant without memory layers and one with");
  return {name_of(comparison), *dense, *memory, {}, mixtures};
}

std::vector<bench::Twins> usual_twins(bool quick) {
  std::vector<bench::Twins> all = {twins_of(find_config("configs/quickstart/compare.yaml"))};
  if (!quick) all.push_back(twins_of(find_config("configs/bench/30m.yaml")));
  return all;
}

}  // namespace memlayers::cli
