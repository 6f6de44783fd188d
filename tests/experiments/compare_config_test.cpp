#include "experiments/compare_config.h"

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
  data: {sources: [{path: facts}], seq_len: 32, batch_size: 2, seed: 10}
variants:
  - name: dense
  - name: wide
    set: [model.hidden_size=64, "model.memory.layers=[1]", model.memory.num_sub_keys=8, model.memory.top_k=4, steps=5]
seeds: [3, 4]
)";

class CompareConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "memlayers_compare_config_test";
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  experiments::ComparePlan load(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    base::write_text_atomically(folder_ / "compare.yaml", text);
    return experiments::load_compare_plan(folder_ / "compare.yaml", overrides);
  }
  std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    try {
      load(text, overrides);
    } catch (const base::UsageError& error) {
      return error.what();
    }
    return "accepted";
  }
  fs::path folder_;
};

TEST_F(CompareConfigTest, VariantsChangeTheRunBeforeDerivedSizesAreFilledIn) {
  const experiments::ComparePlan plan = load(kConfig);
  ASSERT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.runs[0].model.hidden_size, 32);
  EXPECT_EQ(plan.runs[1].model.hidden_size, 64);
  EXPECT_EQ(plan.runs[1].model.head_dim, 32);
  EXPECT_EQ(plan.runs[1].model.memory.value_dim, 64);
  EXPECT_EQ(plan.runs[0].model.memory.layers.size(), 0u);
  EXPECT_EQ(plan.config.baseline, "dense");
}

TEST_F(CompareConfigTest, OverridesReachEveryVariantButAVariantsOwnChangesWin) {
  const experiments::ComparePlan plan = load(kConfig, {"run.steps=48", "run.seed=9"});
  EXPECT_EQ(plan.runs[0].steps, 48);
  EXPECT_EQ(plan.runs[1].steps, 5);
  EXPECT_EQ(plan.ask_every(0), 4);
  EXPECT_EQ(plan.ask_every(1), 1);
}

TEST_F(CompareConfigTest, RunsOfOneSeedReadTheSameDataInTheSameOrder) {
  const experiments::ComparePlan plan = load(kConfig);
  EXPECT_EQ(plan.run_config(0, 3).data.seed, plan.run_config(1, 3).data.seed);
  EXPECT_NE(plan.run_config(0, 3).data.seed, plan.run_config(0, 4).data.seed);
  EXPECT_EQ(plan.run_config(1, 4).seed, 4u);
  EXPECT_EQ(plan.run_config(1, 4).output, "out/wide/seed-4");
  EXPECT_EQ(plan.questions_path(), fs::path("facts/questions.jsonl"));
}

TEST_F(CompareConfigTest, RefusesVariantsThatCannotBeCompared) {
  EXPECT_NE(refusal(kConfig, {"variants.0.set=[data.seq_len=16]"}).find("variant dense: changes data.*"),
            std::string::npos);
  EXPECT_NE(refusal(kConfig, {"variants.1.set=[model.hiden_size=64]"}).find("hidden_size"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"variants.1.name=dense"}).find("two have the name 'dense'"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"variants.1.name=../up"}).find("'../up'"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"baseline=sparse"}).find("no variant 'sparse'"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"seeds=[]"}).find("seeds"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"seeds=[1,1]"}).find("twice"), std::string::npos);
  EXPECT_NE(refusal("run: {steps: 3}\n").find("variants"), std::string::npos);
}

TEST_F(CompareConfigTest, AVariantStartsFromThoseItExtends) {
  const std::string both = "variants.2={name: both, extends: [wide, dense], set: [model.hidden_size=96]}";
  const experiments::ComparePlan plan = load(kConfig, {both, "variants.3={name: again, extends: both}"});
  EXPECT_EQ(plan.config.changes(3),
            (std::vector<std::string>{"model.hidden_size=64", "model.memory.layers=[1]", "model.memory.num_sub_keys=8",
                                      "model.memory.top_k=4", "steps=5", "model.hidden_size=96"}));
  for (const size_t v : {2, 3}) {
    EXPECT_EQ(plan.runs[v].model.hidden_size, 96);
    EXPECT_EQ(plan.runs[v].model.memory.layers, (std::vector<int64_t>{1}));
  }
  EXPECT_NE(refusal(kConfig, {"variants.1.extends=wide"}).find("'wide' extends itself"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"variants.1.extends=deep"}).find("'deep', which is not there"), std::string::npos);
  EXPECT_NE(refusal(kConfig, {"variants.0.extends=wide", "variants.1.extends=dense"}).find("extends itself"),
            std::string::npos);
}

TEST_F(CompareConfigTest, AllLayersAreThoseOfEachVariantsModel) {
  const experiments::ComparePlan plan =
      load(kConfig, {"variants.1.set=[model.num_hidden_layers=3, model.memory.layers=all]"});
  EXPECT_EQ(plan.runs[1].model.memory.layers, (std::vector<int64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace memlayers::experiments
