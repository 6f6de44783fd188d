// The files under experiments/ do what they say: they load at every scale, and "2x" has at least twice the FLOPs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "experiments/experiment_config.h"
#include "planning/count.h"

namespace memlayers::experiments {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPapersVocabulary = 32000;

/// The vocabulary the data will have: of the first tokenizer that is trained.
int64_t vocabulary(const experiments::ExperimentPlan& plan) {
  for (const experiments::ExperimentData& data : plan.config.prepared) {
    if (data.prepare.tokenizer.kind == data::TokenizerKind::kSentencePiece) return data.prepare.tokenizer.vocab_size;
  }
  return kPapersVocabulary;
}

double training_flops(const experiments::ExperimentPlan& plan, const std::string& name) {
  const auto& variants = plan.config.variants;
  const auto found = std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.name == name; });
  if (found == variants.end()) return std::nan("");
  const training::TrainConfig& run = plan.compare.runs[static_cast<size_t>(found - variants.begin())];
  model::ModelConfig model = run.model;
  if (model.vocab_size == 0) model.vocab_size = vocabulary(plan);
  return planning::count_model(model, run.data.seq_len).flops_training;
}

/// "dense_2x-small" -> 2 and "dense-small"; nothing for other names.
std::optional<std::pair<double, std::string>> multiple_of(const std::string& name) {
  for (const int factor : {2, 4}) {
    const std::string kind = base::concat("dense_", factor, "x");
    if (name.starts_with(kind)) return std::pair{static_cast<double>(factor), "dense" + name.substr(kind.size())};
  }
  return std::nullopt;
}

void check_multiples(const experiments::ExperimentPlan& plan) {
  for (const experiments::VariantConfig& variant : plan.config.variants) {
    const auto multiple = multiple_of(variant.name);
    if (!multiple) continue;
    const auto [factor, base_name] = *multiple;
    const double ratio = training_flops(plan, variant.name) / training_flops(plan, base_name);
    EXPECT_GE(ratio, factor) << plan.name << " " << plan.config.scale << " " << variant.name;
    EXPECT_LE(ratio, 1.25 * factor) << plan.name << " " << plan.config.scale << " " << variant.name;
  }
}

TEST(ShippedExperiments, LoadAtEveryScaleAndDenseMultiplesHaveTheirFlops) {
  int files = 0;
  for (const auto& file : fs::directory_iterator(fs::path(MEMLAYERS_SOURCE_DIR) / "experiments")) {
    SCOPED_TRACE(file.path().filename().string());
    const experiments::ExperimentPlan plan = experiments::load_experiment_plan(file.path());
    ++files;
    check_multiples(plan);
    for (const experiments::ScaleConfig& scale : plan.config.scales) {
      const experiments::ExperimentPlan scaled =
          experiments::load_experiment_plan(file.path(), {"scale=" + scale.name});
      EXPECT_NE(scaled.config.output, plan.config.output);  // so that both can be run
      check_multiples(scaled);
    }
  }
  EXPECT_GE(files, 8);
}

}  // namespace
}  // namespace memlayers::experiments
