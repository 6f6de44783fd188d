#include "results/criteria.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "results/metric.h"

namespace memlayers::results {
namespace {

results::RunResult run_with(const std::string& variant, uint64_t seed, double nats, double recall = 0.5) {
  results::RunResult run;
  run.variant = variant;
  run.seed = seed;
  run.unseen = {"all", "unseen", 10, recall, recall, nats};
  return run;
}

results::Comparison comparison_of(std::vector<results::RunResult> runs) {
  results::Comparison comparison;
  comparison.runs = std::move(runs);
  return comparison;
}

results::CriterionSpec order(std::vector<std::string> variants, const std::string& metric = "nats") {
  results::CriterionSpec spec;
  spec.name = "claim";
  spec.metric = metric;
  spec.order = std::move(variants);
  return spec;
}

TEST(MeanInterval, IsStudentsTOfTheSampleDeviation) {
  const results::MeanInterval three = results::mean_interval({1, 2, 3});  // deviation 1, t(2) = 4.303
  EXPECT_DOUBLE_EQ(three.mean, 2);
  EXPECT_NEAR(three.high - three.mean, 4.303 / std::sqrt(3.0), 1e-12);
  EXPECT_NEAR(three.mean - three.low, 4.303 / std::sqrt(3.0), 1e-12);
  const results::MeanInterval one = results::mean_interval({5});
  EXPECT_DOUBLE_EQ(one.low, 5);
  EXPECT_DOUBLE_EQ(one.high, 5);
  EXPECT_EQ(results::mean_interval({}).count, 0);
}

TEST(Criterion, GainsArePairedWithinSeeds) {
  // The seeds differ by 3 nats, the models by 0.5 in each: unpaired the ranges overlap, paired nothing is left to
  // chance.
  const results::Comparison comparison =
      comparison_of({run_with("a", 1, 4.0), run_with("a", 2, 7.0), run_with("a", 3, 5.5), run_with("b", 1, 3.5),
                     run_with("b", 2, 6.5), run_with("b", 3, 5.0)});
  const results::CriterionResult result = results::decide(order({"a", "b"}), comparison, 2);
  EXPECT_EQ(result.status, results::CriterionStatus::kMet);
  EXPECT_DOUBLE_EQ(*result.value, 0.5);
  EXPECT_EQ(result.seeds, 3);
  EXPECT_NE(result.note.find("ranges over seeds overlap"), std::string::npos) << result.note;
  EXPECT_EQ(results::decide(order({"b", "a"}), comparison, 2).status, results::CriterionStatus::kMissed);
}

TEST(Criterion, IsMissedWhereTheIntervalHoldsZero) {
  const results::Comparison comparison =
      comparison_of({run_with("a", 1, 4.0), run_with("a", 2, 4.0), run_with("a", 3, 4.0), run_with("b", 1, 3.0),
                     run_with("b", 2, 4.2), run_with("b", 3, 3.6)});
  const results::CriterionResult result = results::decide(order({"a", "b"}), comparison, 2);
  EXPECT_EQ(result.status, results::CriterionStatus::kMissed);
  EXPECT_GT(*result.value, 0);
  EXPECT_LT(*result.low, 0);
}

TEST(Criterion, HigherIsBetterForRecallAndLowerForLosses) {
  const results::Comparison comparison = comparison_of(
      {run_with("a", 1, 4, 0.2), run_with("a", 2, 4, 0.3), run_with("b", 1, 4, 0.4), run_with("b", 2, 4, 0.5)});
  EXPECT_EQ(results::decide(order({"a", "b"}, "recall"), comparison, 2).status, results::CriterionStatus::kMet);
  EXPECT_TRUE(results::higher_is_better(comparison, "recall"));
  EXPECT_FALSE(results::higher_is_better(comparison, "nats"));
}

TEST(Criterion, AMeasureStatesWhatIsBetterAndOneOfAnOldFileIsTakenByItsName) {
  results::Comparison comparison = comparison_of({run_with("a", 1, 4)});
  comparison.runs[0].measures = {{"stored_bits", 1},
                                 {"text_loss", 1},
                                 {"surprise", 1, results::Better::kLower},
                                 {"loss_avoided", 1, results::Better::kHigher}};
  EXPECT_TRUE(results::higher_is_better(comparison, "stored_bits"));
  EXPECT_FALSE(results::higher_is_better(comparison, "text_loss"));
  EXPECT_FALSE(results::higher_is_better(comparison, "surprise"));
  EXPECT_TRUE(results::higher_is_better(comparison, "loss_avoided"));
}

TEST(Criterion, EveryStepOfAnOrderMustBeShownAndTheWeakestIsNamed) {
  std::vector<results::RunResult> runs;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const double noise = 0.01 * static_cast<double>(seed);
    runs.push_back(run_with("dense", seed, 6 + noise));
    runs.push_back(run_with("memory", seed, 5));
    runs.push_back(run_with("memory_plus", seed, seed == 2 ? 5.5 : 4.5));
  }
  const results::CriterionResult result =
      results::decide(order({"dense", "memory", "memory_plus"}), comparison_of(runs), 2);
  EXPECT_EQ(result.status, results::CriterionStatus::kMissed);
  EXPECT_EQ(result.note.find("1 of 2 steps shown; weakest: Memory+ over "), 0u) << result.note;
}

TEST(Criterion, AtLeastAsksForAGainOfThatSize) {
  const results::Comparison comparison =
      comparison_of({run_with("a", 1, 4), run_with("a", 2, 4), run_with("b", 1, 3), run_with("b", 2, 3)});
  results::CriterionSpec spec = order({"a", "b"});
  spec.at_least = 0.9;
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMet);
  spec.at_least = 1.1;
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMissed);
  spec = order({"b", "a"});
  spec.at_least = -1.1;  // "no worse than by"
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMet);
}

TEST(Criterion, OneSeedDecidesNothing) {
  const results::Comparison comparison = comparison_of({run_with("a", 1, 4), run_with("b", 1, 3), run_with("b", 2, 3)});
  const results::CriterionResult result = results::decide(order({"a", "b"}), comparison, 1);
  EXPECT_EQ(result.status, results::CriterionStatus::kUndecided);
  EXPECT_DOUBLE_EQ(*result.value, 1);
  EXPECT_FALSE(result.low.has_value());
  EXPECT_EQ(results::decide(order({"a", "c"}), comparison, 2).status, results::CriterionStatus::kUndecided);
}

TEST(Criterion, IsUndecidedWhileAPlannedSeedIsMissingUnlessItIsMissedAlready) {
  // The third seed of b failed or has not run: what the others say is what survived.
  const results::Comparison comparison =
      comparison_of({run_with("a", 1, 4), run_with("a", 2, 4.1), run_with("a", 3, 4), run_with("b", 1, 3),
                     run_with("b", 2, 3), run_with("c", 1, 5), run_with("c", 2, 5), run_with("c", 3, 5)});
  const results::CriterionResult result = results::decide(order({"a", "b"}), comparison, 3);
  EXPECT_EQ(result.status, results::CriterionStatus::kUndecided);
  EXPECT_NE(result.note.find("2 of 3 seeds"), std::string::npos) << result.note;
  EXPECT_EQ(results::decide(order({"a", "b"}), comparison, 2).status, results::CriterionStatus::kMet);
  EXPECT_EQ(results::decide(order({"b", "a", "c"}), comparison, 3).status, results::CriterionStatus::kMissed);
  results::CriterionSpec bound = order({"b"});
  bound.at_most = 9;
  EXPECT_EQ(results::decide(bound, comparison, 3).status, results::CriterionStatus::kUndecided);
}

TEST(Criterion, OfOneVariantBoundsItsMean) {
  const results::Comparison comparison = comparison_of({run_with("a", 1, 4), run_with("a", 2, 4.01)});
  results::CriterionSpec spec = order({"a"});
  spec.at_most = 5;
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMet);
  spec.at_most = 4.05;  // the interval reaches beyond: t(1) = 12.7
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMissed);
  spec.at_most.reset();
  spec.at_least = 3;
  EXPECT_EQ(results::decide(spec, comparison, 2).status, results::CriterionStatus::kMet);
}

TEST(Criterion, AtEqualSecondsTakesRecallWhereTheFasterRunsEnd) {
  std::vector<results::RunResult> runs;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    results::RunResult slow = run_with("slow", seed, 1, 0.9), fast = run_with("fast", seed, 1, 0.6);
    slow.curve = {{1, 100, 1, 10, 1, 0.1, -1}, {2, 200, 2, 20, 1, 0.9, -1}};
    fast.curve = {{1, 100, 1, 5, 1, 0.3, -1}, {2, 200, 2, 10, 1, 0.6, -1}};
    runs.push_back(slow);
    runs.push_back(fast);
  }
  results::CriterionSpec spec = order({"slow", "fast"}, "recall");
  spec.at = "seconds";
  const results::CriterionResult result = results::decide(spec, comparison_of(runs), 2);
  EXPECT_EQ(result.status, results::CriterionStatus::kMet);
  EXPECT_DOUBLE_EQ(*result.value, 0.5);  // 0.6 against 0.1 after 10 seconds
}

TEST(Criterion, AtEqualSecondsTakesWhateverIsMeasuredOnTheWay) {
  std::vector<results::RunResult> runs;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    results::RunResult slow = run_with("slow", seed, 1), fast = run_with("fast", seed, 1);
    slow.curve = {{1, 100, 1, 10, 1, -1, 0.1, -1, 5}, {2, 200, 2, 20, 1, -1, 0.9, -1, 1}};
    fast.curve = {{1, 100, 1, 5, 1, -1, 0.3, -1, 4}, {2, 200, 2, 10, 1, -1, 0.6, -1, 2}};
    runs.push_back(slow);
    runs.push_back(fast);
  }
  results::CriterionSpec spec = order({"slow", "fast"}, "nats_seen");
  spec.at = "seconds";
  const results::CriterionResult result = results::decide(spec, comparison_of(runs), 2);
  EXPECT_EQ(result.status, results::CriterionStatus::kMet);
  EXPECT_DOUBLE_EQ(*result.value, 3);  // 2 nats against 5 after 10 seconds
}

TEST(Criteria, AreAboutRecallOrElseAboutWhatTheFirstOneIs) {
  const auto about = [](std::vector<std::string> metrics) {
    std::vector<results::CriterionResult> criteria;
    for (const std::string& metric : metrics) criteria.emplace_back().metric = metric;
    return results::criteria_metric(criteria);
  };
  EXPECT_EQ(about({"nats", "recall"}), "recall");
  EXPECT_EQ(about({"nats_seen", "text_loss"}), "nats_seen");
  EXPECT_EQ(about({}), "recall");
}

TEST(Metric, OfARunThatWasNotAskedIsNothing) {
  results::RunResult run;
  EXPECT_FALSE(results::metric_value(run, "recall").has_value());
  EXPECT_FALSE(results::metric_value(run, "text_loss").has_value());
  run.measures = {{"text_loss", 2.5}};
  EXPECT_DOUBLE_EQ(*results::metric_value(run, "text_loss"), 2.5);
}

TEST(Metric, UseOfSlotsIsTheMeanOverLayers) {
  results::RunResult run;
  EXPECT_FALSE(results::metric_value(run, "used_slots").has_value());
  run.slot_usage.push_back({1, 100, 0.5, 2.0, 0, {}});
  run.slot_usage.push_back({3, 100, 0.25, 1.0, 0, {}});
  EXPECT_DOUBLE_EQ(*results::metric_value(run, "used_slots"), 0.375);
  EXPECT_DOUBLE_EQ(*results::metric_value(run, "read_kl"), 1.5);
  EXPECT_TRUE(results::higher_is_better({}, "used_slots"));
  EXPECT_FALSE(results::higher_is_better({}, "read_kl"));
  EXPECT_EQ(results::metric_number("used_slots", 0.375), "37.5%");
  EXPECT_TRUE(results::is_share("used_slots") && results::is_share("recall"));  // gains in them are told in points
  EXPECT_FALSE(results::is_share("read_kl") || results::is_share("text_loss"));
}

TEST(Metric, TrainingLossIsTheMeanOverTheLastTenth) {
  results::RunResult run;
  for (int64_t step = 10; step <= 100; step += 5) run.curve.push_back({step, 0, 0, 0, step > 90 ? 2.0 : 9.0, -1, -1});
  run.curve.back().loss = 4;
  run.curve.push_back({97, 0, 0, 0, 50, 0.5, -1});  // a single step, of an asking
  std::swap(run.curve.back(), run.curve[run.curve.size() - 2]);
  EXPECT_DOUBLE_EQ(*results::metric_value(run, "loss"), 3);  // of the steps 95 and 100
}

}  // namespace
}  // namespace memlayers::results
