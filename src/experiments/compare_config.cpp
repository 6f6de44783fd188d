#include "experiments/compare_config.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace memlayers::experiments {
namespace {

constexpr int64_t kAskingsInARun = 12;

bool fits_a_folder(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '+' || c == '-';
  };
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

void CompareConfig::validate() {
  base::check(!variants.empty(), "variants: expected at least one {name, set}");
  base::check(!seeds.empty(), "seeds: expected at least one");
  std::set<std::string> names;
  for (const VariantConfig& variant : variants) {
    base::check(fits_a_folder(variant.name), "variants: the name '", variant.name,
                "' must be of letters, digits and _ . + -, and not begin with a period");
    base::check(names.insert(variant.name).second, "variants: two have the name '", variant.name, "'");
  }
  base::check(std::set<uint64_t>(seeds.begin(), seeds.end()).size() == seeds.size(), "seeds: one is there twice");
  if (baseline.empty()) baseline = variants[0].name;
  base::check(names.count(baseline) != 0, "baseline: there is no variant '", baseline, "'");
  base::check(ask_every >= 0, "ask_every: expected 0 or more, got ", ask_every);
  base::check(ask_limit >= 0, "ask_limit: expected 0 (all) or more, got ", ask_limit);
  base::check(profile_steps >= 0, "profile_steps: expected 0 (none) or more, got ", profile_steps);
  base::check(max_new_tokens > 0, "max_new_tokens: expected 1 or more, got ", max_new_tokens);
}

training::TrainConfig ComparePlan::run_config(size_t variant, uint64_t seed) const {
  training::TrainConfig run = runs[variant];
  run.output =
      (std::filesystem::path(config.output) / config.variants[variant].name / base::concat("seed-", seed)).string();
  run.seed = seed;
  run.data.seed += seed;
  return run;
}

std::filesystem::path ComparePlan::questions_path() const {
  if (!config.questions.empty()) return config.questions;
  base::check(!config.run.data.sources.empty(), "run.data.sources: expected at least one prepared folder");
  return std::filesystem::path(config.run.data.sources[0].path) / "questions.jsonl";
}

int64_t ComparePlan::ask_every(size_t variant) const {
  return config.ask_every > 0 ? config.ask_every : std::max<int64_t>(1, runs[variant].steps / kAskingsInARun);
}

void check_same_data(const std::filesystem::path& path, const ComparePlan& plan) {
  const auto data = base::config_to_json(plan.config.run.data);
  for (size_t v = 0; v < plan.runs.size(); ++v) {
    base::check(base::config_to_json(plan.runs[v].data) == data, path.string(), ": variant ",
                plan.config.variants[v].name,
                ": changes data.*, but all variants must read the same data in the same order");
  }
}

ComparePlan load_compare_plan(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const auto config = base::load_config<CompareConfig>(path, overrides);
  ComparePlan plan{config, variant_runs(path, overrides, config)};
  check_same_data(path, plan);
  return plan;
}

}  // namespace memlayers::experiments
