#include "planning/match.h"

#include <gtest/gtest.h>

#include "support/tiny_model.h"
#include "support/usage_error.h"

namespace memlayers::tests {
namespace {

using model::ModelConfig;
using planning::FreeSize;
using planning::Match;
using planning::Matched;
using planning::MatchRule;

ModelConfig paper(const std::string& name) {
  return model::load_model_config(std::filesystem::path(MEMLAYERS_SOURCE_DIR) / "configs" / "paper" / (name + ".yaml"));
}

double millions(int64_t parameters) { return static_cast<double>(parameters) / 1e6; }

// Section 4.1 of the paper: 16, 8, 6 and 4 experts, the fewest with more parameters than Memory. By our count of
// parameters that holds of even numbers; 7 and 5 would do for the two bases in the middle.
TEST(Match, FindsThePapersNumbersOfExperts) {
  struct Row {
    const char* base;
    int64_t experts, of_any_number;
  };
  for (const Row& row : {Row{"134m", 16, 16}, {"373m", 8, 7}, {"720m", 6, 5}, {"1.3b", 4, 4}}) {
    const std::string base = row.base;
    ModelConfig mixture = paper(base + "_moe");
    mixture.experts.num_experts = 3;
    const ModelConfig memory = paper(base + "_memory");
    const Match match = planning::match_model(mixture, memory, {FreeSize::kExperts});
    EXPECT_EQ(match.value, row.experts) << base;
    EXPECT_EQ(match.given, 3);
    EXPECT_EQ(match.config.experts.num_experts, row.experts);
    EXPECT_EQ(match.count.total, planning::count_model(paper(base + "_moe"), 1).total) << base;
    EXPECT_EQ(match.reference.total, planning::count_model(memory, 1).total);
    EXPECT_GT(match.count.total, match.reference.total);
    MatchRule any{FreeSize::kExperts};
    any.multiple_of = 1;
    EXPECT_EQ(planning::match_model(mixture, memory, any).value, row.of_any_number) << base;
  }
}

// The totals of its Table 1: Memory, MoE and PEER of two bases, from the size of Memory's table alone.
TEST(Match, ReproducesThePublishedTotals) {
  struct Row {
    const char* base;
    double memory, mixture, peer;
  };
  for (const Row& row : {Row{"134m", 937, 984, 1037}, {"1.3b", 3377, 3545, 3646}}) {
    const std::string base = row.base;
    const ModelConfig memory = paper(base + "_memory");
    const Match mixture = planning::match_model(paper(base + "_moe"), memory, {FreeSize::kExperts});
    ModelConfig peer_config = paper(base + "_peer");
    peer_config.memory.num_sub_keys = 32;
    MatchRule rule{FreeSize::kSubKeys};
    rule.multiple_of = 256;
    const Match peer = planning::match_model(peer_config, memory, rule);
    EXPECT_EQ(peer.value, 768);
    // Printed without digits behind the point: rounded or cut, both occur.
    EXPECT_NEAR(millions(mixture.reference.total), row.memory, 0.6) << base;
    EXPECT_NEAR(millions(mixture.count.total), row.mixture, 0.6) << base;
    EXPECT_NEAR(millions(peer.count.total), row.peer, 0.6) << base;
  }
}

TEST(Match, TakesTheNearestSizeOfTables) {
  const ModelConfig memory = tiny_config({1});
  ModelConfig larger = tiny_config({1}), lookup = tiny_ngram_config({1});
  larger.memory.num_sub_keys = 40;
  const Match sub_keys = planning::match_model(memory, larger, {FreeSize::kSubKeys});
  EXPECT_EQ(sub_keys.value, 40);
  EXPECT_EQ(sub_keys.count.total, sub_keys.reference.total);

  const Match rows = planning::match_model(lookup, larger, {FreeSize::kNgramRows});
  const auto distance = [&](int64_t r) {
    ModelConfig other = lookup;
    other.ngrams.rows = r;
    return std::abs(planning::count_model(other, 1).total - rows.reference.total);
  };
  EXPECT_LE(distance(rows.value), distance(rows.value + 1));
  EXPECT_LT(distance(rows.value), distance(rows.value - 1));
  EXPECT_EQ(std::abs(rows.count.total - rows.reference.total), distance(rows.value));
}

// Dense models of so many times the compute, which memory is set against (paper section 5.1).
TEST(Match, GivesDenseModelsOfOneTwoAndFourTimesTheFlops) {
  const ModelConfig memory = paper("134m_memory_plus_1m"), dense = paper("134m_dense");
  for (const FreeSize size : {FreeSize::kHiddenSize, FreeSize::kFeedForwardWidth, FreeSize::kBlocks}) {
    for (const double times : {1.0, 2.0, 4.0}) {
      MatchRule rule{size, Matched::kFlops, times};
      rule.seq_len = 4096;
      const Match match = planning::match_model(dense, memory, rule);
      EXPECT_EQ(match.target, times * planning::count_model(memory, 4096).flops_training);
      const double ratio = match.count.flops_training / match.target;
      const double step = size == FreeSize::kFeedForwardWidth ? 0.001 : size == FreeSize::kBlocks ? 0.05 : 0.1;
      EXPECT_NEAR(ratio, 1, step) << match_in_words(dense, rule);
    }
  }
}

TEST(Match, AWiderModelKeepsTheShapeOfItsHeads) {
  ModelConfig config = tiny_config({});  // 32 wide: 4 heads of 8, two of them for each key/value head; 64 in the middle
  MatchRule rule{FreeSize::kHiddenSize, Matched::kFlops, 20};
  rule.seq_len = 16;
  const Match match = planning::match_model(config, config, rule);
  EXPECT_EQ(match.value % 16, 0);
  EXPECT_GT(match.value, 64);
  EXPECT_EQ(match.config.head_dim, 8);
  EXPECT_EQ(match.config.num_attention_heads * 8, match.value);
  EXPECT_EQ(match.config.num_key_value_heads * 2, match.config.num_attention_heads);
  EXPECT_EQ(match.config.intermediate_size, 2 * match.value);
  const Match by_rule = planning::match_model(paper("134m_dense"), paper("373m_dense"), {FreeSize::kHiddenSize});
  EXPECT_EQ(by_rule.config.intermediate_size % 256, 0);
}

TEST(Match, ChoosesTheSizeThatSaysMost) {
  EXPECT_EQ(planning::usual_size(tiny_expert_config(), Matched::kParameters), FreeSize::kExperts);
  EXPECT_EQ(planning::usual_size(tiny_expert_config(), Matched::kFlops), FreeSize::kExpertWidth);
  EXPECT_EQ(planning::usual_size(tiny_config({1}), Matched::kParameters), FreeSize::kSubKeys);
  EXPECT_EQ(planning::usual_size(tiny_config({1}), Matched::kFlops), FreeSize::kFeedForwardWidth);
  EXPECT_EQ(planning::usual_size(tiny_ngram_config(), Matched::kParameters), FreeSize::kNgramRows);
  EXPECT_EQ(planning::usual_size(tiny_config({}), Matched::kParameters), FreeSize::kHiddenSize);
  ModelConfig both = tiny_ngram_config();
  both.memory.layers = {1};
  EXPECT_NE(usage_error([&] { planning::usual_size(both, Matched::kParameters); }).find("several"), std::string::npos);
}

TEST(Match, RefusesWhatCannotBeMatched) {
  const ModelConfig dense = tiny_config({}), memory = tiny_config({1}), mixture = tiny_expert_config();
  const auto refusal = [&](const ModelConfig& config, const ModelConfig& reference, const MatchRule& rule) {
    return usage_error([&] { planning::match_model(config, reference, rule); });
  };
  const auto expect = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(refusal(dense, memory, {FreeSize::kExperts}),
         "experts.num_experts cannot be matched: the model has no experts");
  expect(refusal(dense, memory, {FreeSize::kSubKeys}), "no memory layers");
  expect(refusal(dense, memory, {FreeSize::kNgramRows}), "no n-gram layers");
  expect(refusal(memory, dense, {FreeSize::kHiddenSize}), "layers of other kinds");
  expect(refusal(mixture, dense, {FreeSize::kExperts, Matched::kFlops}), "does not touch");
  expect(refusal(dense, memory, {FreeSize::kHiddenSize, Matched::kFlops, 0}), "above 0");
  expect(refusal(dense, memory, {FreeSize::kHiddenSize, Matched::kFlops, 1e30}), "no valid size");
}

// A model smaller than any that can be is matched by the smallest.
TEST(Match, StopsAtTheSmallest) {
  ModelConfig beside = tiny_config({1});
  beside.memory.placement = layers::MemoryPlacement::kBeside;
  const Match match = planning::match_model(beside, tiny_config({}), {FreeSize::kSubKeys});
  EXPECT_EQ(match.value, 2);  // 4 slots, as many as a head reads
}

}  // namespace
}  // namespace memlayers::tests
