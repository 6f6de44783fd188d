#include "experiments/experiment_config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"

namespace memlayers::experiments {
namespace {

namespace fs = std::filesystem;

const char* const kConfig = R"(
output: out
run:
  steps: 24
  model: {vocab_size: 300, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2}
  data: {sources: [{path: facts}], seq_len: 32, batch_size: 2}
variants:
  - name: dense
  - {name: wide, set: [model.hidden_size=64]}
seeds: [3, 4]
scales:
  - {name: paper, set: [run.steps=100, run.model.num_hidden_layers=4]}
criteria:
  - {name: wide is better, metric: nats, order: [dense, wide]}
)";

class ExperimentConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "memlayers_experiment_config_test";
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  experiments::ExperimentPlan load(const std::vector<std::string>& overrides = {},
                                   const std::string& text = kConfig) const {
    base::write_text_atomically(folder_ / "sizes.yaml", text);
    return experiments::load_experiment_plan(folder_ / "sizes.yaml", overrides);
  }
  std::string refusal(const std::vector<std::string>& overrides, const std::string& more = "") const {
    try {
      load(overrides, kConfig + more);
    } catch (const base::UsageError& error) {
      return error.what();
    }
    return "accepted";
  }
  fs::path folder_;
};

TEST_F(ExperimentConfigTest, IsAComparisonWithTheNameOfItsFile) {
  const experiments::ExperimentPlan plan = load();
  EXPECT_EQ(plan.name, "sizes");
  ASSERT_EQ(plan.compare.runs.size(), 2u);
  EXPECT_EQ(plan.compare.runs[0].model.hidden_size, 32);
  EXPECT_EQ(plan.compare.runs[1].model.hidden_size, 64);
  EXPECT_EQ(plan.compare.config.baseline, "dense");
}

TEST_F(ExperimentConfigTest, AScaleChangesTheFileAndOverridesChangeTheScale) {
  const experiments::ExperimentPlan plan = load({"scale=paper", "run.steps=50"});
  for (const training::TrainConfig& run : plan.compare.runs) {
    EXPECT_EQ(run.steps, 50);
    EXPECT_EQ(run.model.num_hidden_layers, 4);
  }
  EXPECT_EQ(plan.compare.runs[1].model.hidden_size, 64);
  EXPECT_NE(refusal({"scale=huge"}).find("scale: there is no 'huge'; the file has paper"), std::string::npos);
}

TEST_F(ExperimentConfigTest, RefusesCriteriaThatClaimNothing) {
  EXPECT_NE(refusal({"criteria=[]"}).find("criteria: expected at least one"), std::string::npos);
  EXPECT_NE(refusal({"criteria=[{name: x, order: [dense]}]"}).find("at_least or at_most"), std::string::npos);
  EXPECT_NE(refusal({"criteria=[{name: x, order: [dense, deep]}]"}).find("there is no variant 'deep'"),
            std::string::npos);
  EXPECT_NE(refusal({"criteria=[{name: x, order: [dense, wide], at: noon}]"}).find("expected end, tokens"),
            std::string::npos);
  EXPECT_NE(refusal({"criteria=[{name: x, order: [dense, wide], metric: loss, at: seconds}]"}).find("only recall"),
            std::string::npos);
}

TEST_F(ExperimentConfigTest, RefusesFiguresWhoseSeriesDoNotFit) {
  const std::string bars = "figures: [{title: t, groups: [a, b], series: [{name: s, variants: [dense]}]}]\n";
  EXPECT_NE(refusal({}, bars).find("expected 2 variants, got 1"), std::string::npos);
  const std::string reference = "figures: [{title: t, x: [1, 2], series: [{name: s, variants: [dense]}]}]\n";
  EXPECT_EQ(refusal({}, reference), "accepted");
  const std::string falling = "figures: [{title: t, x: [2, 1], series: [{name: s, variants: [dense]}]}]\n";
  EXPECT_NE(refusal({}, falling).find("x must rise"), std::string::npos);
  EXPECT_NE(refusal({}, "figures: [{title: t}]\n").find("expected groups"), std::string::npos);
  EXPECT_NE(refusal({"losses=[{name: text, path: t}]"}).find("must contain the word loss"), std::string::npos);
}

TEST_F(ExperimentConfigTest, FiguresOfRunsChooseNothingAndLabelsFillInTokensAlone) {
  EXPECT_EQ(refusal({"figures=[{kind: curve, metric: loss, over: seconds}, {kind: slots}]"}), "accepted");
  EXPECT_NE(refusal({"figures=[{kind: curve, metric: f1}]"}).find("measured on the way"), std::string::npos);
  EXPECT_NE(refusal({"figures=[{kind: curve, metric: loss, over: steps}]"}).find("expected tokens, flops"),
            std::string::npos);
  EXPECT_NE(refusal({"figures=[{kind: steps, title: mine}]"}).find("one of its own"), std::string::npos);
  EXPECT_NE(refusal({"figures=[{kind: slots, groups: [a]}]"}).find("kind variants"), std::string::npos);
  const std::string label = "figures=[{title: t, groups: ['after {steps}'], series: [{name: s, variants: [dense]}]}]";
  EXPECT_NE(refusal({label}).find("only {tokens} is filled in"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::experiments
