#include "results/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/comparison_fixture.h"

namespace memlayers::results {
namespace {

/// Asked after 100, 200 and 400 tokens; 10 FLOPs and 0.5 seconds a token.
results::RunResult asked_three_times(const std::string& variant, std::vector<double> recalls,
                                     double seconds_per_token = 0.5) {
  results::RunResult run;
  run.variant = variant;
  const int64_t tokens[] = {100, 200, 400};
  for (size_t i = 0; i < recalls.size(); ++i) {
    const double count = static_cast<double>(tokens[i]);
    run.curve.push_back(
        {static_cast<int64_t>(i), tokens[i], 10 * count, seconds_per_token * count, 1.0, recalls[i], -1});
  }
  return run;
}

TEST(MetricAt, IsTheAskedValueAtAnAskedPoint) {
  const results::RunResult run = asked_three_times("a", {0.1, 0.3, 0.4});
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kTokens, 100), 0.1);
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kFlops, 2000), 0.3);
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kSeconds, 200), 0.4);
}

TEST(MetricAt, IsLinearBetweenAskedPoints) {
  const results::RunResult run = asked_three_times("a", {0.1, 0.3, 0.4});
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kTokens, 150), 0.2);
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kTokens, 250), 0.325);
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kSeconds, 150), 0.35);
}

TEST(MetricAt, IsNothingBeforeTheFirstAndAfterTheLastAskedPoint) {
  const results::RunResult run = asked_three_times("a", {0.1, 0.3, 0.4});
  EXPECT_FALSE(results::metric_at(run, "recall", results::Axis::kTokens, 99).has_value());
  EXPECT_FALSE(results::metric_at(run, "recall", results::Axis::kTokens, 401).has_value());
  EXPECT_FALSE(results::metric_at(results::RunResult{}, "recall", results::Axis::kTokens, 0).has_value());
}

TEST(MetricAt, PassesOverPointsThatWereNotAsked) {
  const results::RunResult run = asked_three_times("a", {0.1, -1, 0.4});
  EXPECT_DOUBLE_EQ(*results::metric_at(run, "recall", results::Axis::kTokens, 200), 0.2);
  EXPECT_FALSE(
      results::metric_at(asked_three_times("a", {0.1, 0.3, -1}), "recall", results::Axis::kTokens, 300).has_value());
}

TEST(Verdict, TakesTheLargestBudgetThatEveryRunReaches) {
  results::Comparison comparison;
  comparison.variants = {"slow", "fast"};
  comparison.runs = {asked_three_times("slow", {0.2, 0.4, 0.8}, 1.0), asked_three_times("fast", {0.1, 0.2, 0.4}, 0.5)};
  const results::Verdict seconds = results::verdict_at_equal(comparison, results::Axis::kSeconds);
  EXPECT_DOUBLE_EQ(seconds.budget, 200);
  ASSERT_EQ(seconds.rows.size(), 2U);
  EXPECT_EQ(seconds.rows[0].variant, "slow");
  EXPECT_DOUBLE_EQ(seconds.rows[0].mean, 0.4);
  EXPECT_DOUBLE_EQ(seconds.rows[1].mean, 0.4);
  const results::Verdict tokens = results::verdict_at_equal(comparison, results::Axis::kTokens);
  EXPECT_DOUBLE_EQ(tokens.budget, 400);
  EXPECT_DOUBLE_EQ(tokens.rows[0].mean, 0.8);
}

TEST(Verdict, GivesMeanSampleDeviationAndRangeOverSeeds) {
  results::Comparison comparison;
  comparison.variants = {"a"};
  for (const double recall : {0.1, 0.2, 0.6}) comparison.runs.push_back(asked_three_times("a", {0, 0, recall}));
  const results::Verdict::Row row = results::verdict_at_equal(comparison, results::Axis::kTokens).rows.at(0);
  EXPECT_EQ(row.seeds, 3);
  EXPECT_NEAR(row.mean, 0.3, 1e-12);
  EXPECT_NEAR(row.deviation, std::sqrt((0.04 + 0.01 + 0.09) / 2), 1e-12);
  EXPECT_DOUBLE_EQ(row.lowest, 0.1);
  EXPECT_DOUBLE_EQ(row.highest, 0.6);
}

TEST(Verdict, LeavesOutRunsThatWereNeverAsked) {
  results::Comparison comparison;
  comparison.variants = {"a", "b"};
  comparison.runs = {asked_three_times("a", {0.1, 0.2, 0.3}), asked_three_times("b", {-1, -1, -1})};
  const results::Verdict verdict = results::verdict_at_equal(comparison, results::Axis::kTokens);
  ASSERT_EQ(verdict.rows.size(), 1U);
  EXPECT_EQ(verdict.rows[0].variant, "a");
  EXPECT_EQ(verdict.rows[0].deviation, 0);
  EXPECT_TRUE(results::verdict_at_equal(results::Comparison{}, results::Axis::kFlops).rows.empty());
}

TEST(Comparison, SurvivesItsWayThroughAFile) {
  const results::Comparison comparison = tests::fixture::comparison(2);
  const std::string text = base::config_to_json(comparison).dump();
  const results::Comparison read = base::parse_config<results::Comparison>(text, "results.json");
  EXPECT_EQ(base::config_to_json(read).dump(), text);
  ASSERT_EQ(read.runs.size(), 4U);
  EXPECT_EQ(read.runs[3].curve.back().recall, comparison.runs[3].curve.back().recall);
  EXPECT_EQ(read.runs[3].slot_usage[1].read_share, comparison.runs[3].slot_usage[1].read_share);
  EXPECT_EQ(read.examples[1].prompt, comparison.examples[1].prompt);
  ASSERT_EQ(read.step_times.size(), 2U);
  EXPECT_EQ(read.step_times[1].step.ops[0].limit_seconds, comparison.step_times[1].step.ops[0].limit_seconds);
  EXPECT_FALSE(read.step_times[1].step.ops[3].limit_seconds.has_value());
}

}  // namespace
}  // namespace memlayers::results
