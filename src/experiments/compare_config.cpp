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

std::vector<std::string> CompareConfig::changes(size_t index) const {
  std::vector<std::string> all;
  std::vector<size_t> open;  // variants that are being gathered, each extending the next
  const auto gather = [&](auto&& again, size_t v) -> void {
    const VariantConfig& variant = variants[v];
    base::check(std::find(open.begin(), open.end(), v) == open.end(), "variants: '", variant.name, "' extends itself");
    open.push_back(v);
    for (const std::string& name : variant.extends) {
      const auto other = std::find_if(variants.begin(), variants.end(), [&](const auto& o) { return o.name == name; });
      base::check(other != variants.end(), "variants: '", variant.name, "' extends '", name, "', which is not there");
      again(again, static_cast<size_t>(other - variants.begin()));
    }
    all.insert(all.end(), variant.set.begin(), variant.set.end());
    open.pop_back();
  };
  gather(gather, index);
  return all;
}

void CompareConfig::validate() {
  base::check(extends.empty(), "extends: it stands in a file; on the command line, name that file itself");
  base::check(!variants.empty(), "variants: expected at least one {name, set}");
  base::check(!seeds.empty(), "seeds: expected at least one");
  std::set<std::string> names;
  for (const VariantConfig& variant : variants) {
    base::check(fits_a_folder(variant.name), "variants: the name '", variant.name,
                "' must be of letters, digits and _ . + -, and not begin with a period");
    base::check(names.insert(variant.name).second, "variants: two have the name '", variant.name, "'");
  }
  base::check(std::set<uint64_t>(seeds.begin(), seeds.end()).size() == seeds.size(), "seeds: one is there twice");
  for (size_t v = 0; v < variants.size(); ++v) changes(v);
  if (baseline.empty()) baseline = variants[0].name;
  base::check(names.count(baseline) != 0, "baseline: there is no variant '", baseline, "'");
  base::check(ask_every >= 0, "ask_every: expected 0 or more, got ", ask_every);
  base::check(ask_limit >= 0, "ask_limit: expected 0 (all) or more, got ", ask_limit);
  base::check(profile_steps >= 0, "profile_steps: expected 0 (none) or more, got ", profile_steps);
  base::check(max_new_tokens > 0, "max_new_tokens: expected 1 or more, got ", max_new_tokens);
}

std::vector<uint64_t> ComparePlan::seeds_of(size_t variant) const {
  const std::vector<uint64_t>& own = config.variants[variant].seeds;
  std::vector<uint64_t> seeds;
  for (const uint64_t seed : config.seeds) {
    if (own.empty() || std::find(own.begin(), own.end(), seed) != own.end()) seeds.push_back(seed);
  }
  return seeds;
}

size_t ComparePlan::cells() const {
  size_t count = 0;
  for (size_t v = 0; v < runs.size(); ++v) count += seeds_of(v).size();
  return count;
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
