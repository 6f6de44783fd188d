// What `memlayers compare` trains: one run's configuration, and what each variant changes in it.
#pragma once

#include "base/error.h"
#include "training/train_config.h"

namespace memlayers::experiments {

struct VariantConfig {
  std::string name;
  base::NameList extends;
  std::vector<std::string> set;
  std::vector<uint64_t> seeds;
  static constexpr auto fields() {
    using base::field;
    using C = VariantConfig;
    return std::tuple{field("name", &C::name, "name in tables, charts and folders (letters, digits, _ . + -)"),
                      field("extends", &C::extends, "variants whose changes come first, the last of them winning"),
                      field("set", &C::set, "changes to run, each a string key=value: \"model.memory.layers=[1, 3]\""),
                      field("seeds", &C::seeds, "those of `seeds` that it is trained with; empty: all")};
  }
};

struct CompareConfig {
  std::string extends;
  std::string title = "Comparison", description;
  std::string output = "runs/compare";
  training::TrainConfig run;
  std::vector<VariantConfig> variants;
  std::vector<uint64_t> seeds = {1};
  std::string questions;
  int64_t ask_every = 0;
  int64_t ask_limit = 500;
  int64_t max_new_tokens = 24;
  std::string baseline;
  int64_t profile_steps = 20;

  static constexpr auto fields() {
    using base::field;
    using C = CompareConfig;
    return std::tuple{
        field("extends", &C::extends, "in a file: another one, beside it, whose keys this one starts from"),
        field("title", &C::title, "heading of the report"),
        field("description", &C::description, "what is compared, for the report's reader"),
        field("output", &C::output, "folder of results.json, report.html and all runs"),
        field("run", &C::run, "the run all variants start from (output is set by itself; seed by seeds)"),
        field("variants", &C::variants, "what is compared: names, and what each changes in run"),
        field("seeds", &C::seeds, "each variant is trained once per seed; a seed sets initialization and data order"),
        field("questions", &C::questions, "questions.jsonl to ask; empty: the one of the first data source"),
        field("ask_every", &C::ask_every, "steps between askings on the way; 0: twelve in a run"),
        field("ask_limit", &C::ask_limit, "questions asked on the way, spread evenly over all; 0: all"),
        field("max_new_tokens", &C::max_new_tokens, "tokens an answer may take"),
        field("baseline", &C::baseline, "variant the others are compared with; empty: the first"),
        field("profile_steps", &C::profile_steps,
              "training steps of each variant that are timed operation by operation in the end; 0: none"),
    };
  }
  /// The changes of variant `index` with those it extends, in the order in which they are made.
  std::vector<std::string> changes(size_t index) const;
  /// Throws UsageError: no variants or seeds, a variant that extends itself or one that is not there, names missing,
  /// doubled or not fit for a folder, an unknown baseline.
  void validate();
};

/// A configuration and, for every variant, the run it comes to (without output and seeds).
struct ComparePlan {
  CompareConfig config;
  std::vector<training::TrainConfig> runs;

  /// The seeds of a variant, in the order of config.seeds.
  std::vector<uint64_t> seeds_of(size_t variant) const;
  /// Variants times their seeds.
  size_t cells() const;
  /// Variant `variant` with seed `seed`: its own folder under output, its seed, and data in the order of that seed.
  training::TrainConfig run_config(size_t variant, uint64_t seed) const;
  /// Questions file and the steps between askings, defaults filled in.
  std::filesystem::path questions_path() const;
  int64_t ask_every(size_t variant) const;
};

/// The runs that the variants of a file come to. `Config` is CompareConfig or has its keys among others.
template <class Config>
std::vector<training::TrainConfig> variant_runs(const std::filesystem::path& path,
                                                const std::vector<std::string>& overrides, const Config& config) {
  std::vector<training::TrainConfig> runs;
  for (size_t v = 0; v < config.variants.size(); ++v) {
    const VariantConfig& variant = config.variants[v];
    std::vector<std::string> all = overrides;
    for (const std::string& change : config.changes(v)) all.push_back("run." + change);
    try {
      runs.push_back(base::load_config<Config>(path, all).run);
    } catch (const base::UsageError& error) {
      throw base::UsageError(base::concat(path.string(), ": variant ", variant.name, ": ", error.what()));
    }
  }
  return runs;
}

/// Throws UsageError: a variant that changes data.*. `path` is for the message.
void check_same_data(const std::filesystem::path& path, const ComparePlan& plan);

/// Reads `path` with `overrides`. A variant's changes are applied before derived sizes are filled in, so that a variant
/// with another hidden_size gets that one's intermediate_size. Throws UsageError (also: a variant that changes data.*),
/// IoError.
ComparePlan load_compare_plan(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

}  // namespace memlayers::experiments
