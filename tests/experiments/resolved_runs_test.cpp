// What each variant of the files under experiments/ comes to, at every scale: a setting that is moved between files,
// or from a variant to the one that it extends, changes no run. tests/golden/experiments.json holds a hash of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "experiments/experiment_config.h"

namespace memlayers::experiments {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kNoScale = "without scale";

Json hashes_of(const ExperimentPlan& plan) {
  Json hashes = Json::object();
  for (size_t v = 0; v < plan.compare.runs.size(); ++v) {
    const std::string text = base::config_to_json(plan.compare.runs[v]).dump();
    hashes[plan.config.variants[v].name] = base::hash_text(base::hash_bytes(text.data(), text.size()));
  }
  return hashes;
}

/// A hash for each file, scale and variant.
Json resolved_runs() {
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(fs::path(MEMLAYERS_SOURCE_DIR) / "experiments"))
    files.push_back(file.path());
  std::sort(files.begin(), files.end());
  Json runs = Json::object();
  for (const fs::path& file : files) {
    const ExperimentPlan plan = load_experiment_plan(file);
    Json& scales = runs[plan.name];
    scales[kNoScale] = hashes_of(plan);
    for (const ScaleConfig& scale : plan.config.scales)
      scales[scale.name] = hashes_of(load_experiment_plan(file, {"scale=" + scale.name}));
  }
  return runs;
}

TEST(ShippedExperiments, ComeToTheRunsThatAreWrittenDown) {
  const fs::path file = fs::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden" / "experiments.json";
  const Json runs = resolved_runs();
  if (std::getenv("MEMLAYERS_WRITE_GOLDEN") != nullptr) base::write_text_atomically(file, runs.dump(1) + "\n");
  const Json expected = Json::parse(base::read_text(file)).flatten(), found = runs.flatten();
  const std::string what_to_do =
      "; where that is meant, write the file again: MEMLAYERS_WRITE_GOLDEN=1 build/release/tests/experiments/"
      "experiments_test --gtest_filter='*ThatAreWrittenDown'";
  for (const auto& [name, hash] : found.items()) {
    if (expected.value(name, Json()) != hash)
      ADD_FAILURE() << name << ": comes to another run than tests/golden/experiments.json says" << what_to_do;
  }
  for (const auto& [name, hash] : expected.items())
    EXPECT_TRUE(found.contains(name)) << name << ": is written down, but no longer there" << what_to_do;
}

}  // namespace
}  // namespace memlayers::experiments
