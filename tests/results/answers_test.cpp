#include "results/answers.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "results/comparison.h"

namespace memlayers::results {
namespace {

TEST(BreakDown, TakesMeansByWordingAndLengthAndJoinsLongAnswers) {
  const AnswerBreakdown told = break_down({{"seen", 1, true, 0.5, 0.25},
                                           {"seen", 1, false, 3.5, 1.75},
                                           {"seen", 5, false, 8, 2.0},
                                           {"seen", 9, true, 4, 1.0},
                                           {"unseen", 2, false, 16, 3.0}});
  ASSERT_EQ(told.lengths.size(), 3u);
  EXPECT_EQ(told.lengths[0].wording, "seen");
  EXPECT_EQ(told.lengths[0].tokens, 1);
  EXPECT_EQ(told.lengths[0].questions, 2);
  EXPECT_EQ(told.lengths[0].exact_match, 0.5);
  EXPECT_EQ(told.lengths[0].nats, 2);
  EXPECT_EQ(told.lengths[0].first_nats, 1);
  EXPECT_EQ(told.lengths[1].tokens, kLongAnswer);
  EXPECT_EQ(told.lengths[1].questions, 2);
  EXPECT_EQ(told.lengths[1].exact_match, 0.5);
  EXPECT_EQ(told.lengths[1].nats, 6);
  EXPECT_EQ(told.lengths[1].first_nats, 1.5);
  EXPECT_EQ(told.lengths[2].wording, "unseen");
  EXPECT_EQ(told.lengths[2].tokens, 2);
}

TEST(BreakDown, CountsQuestionsBelowEachBoundAndTakesQuartilesBetweenThem) {
  const AnswerBreakdown told = break_down({{"seen", 1, true, 0.5},
                                           {"seen", 1, true, 0},
                                           {"seen", 1, false, 3},
                                           {"seen", 2, false, 100},
                                           {"unseen", 2, false, 7}});
  ASSERT_EQ(told.spread.size(), 2u);
  EXPECT_EQ(told.spread[0].questions, 4);
  // A bound itself is not below it.
  EXPECT_EQ(told.spread[0].below, (std::vector<double>{0.25, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75}));
  EXPECT_EQ(told.spread[0].lower_quartile, 0.375);
  EXPECT_EQ(told.spread[0].median, 1.75);
  EXPECT_EQ(told.spread[0].upper_quartile, 27.25);
  EXPECT_EQ(told.spread[1].lower_quartile, 7);
  EXPECT_EQ(told.spread[1].upper_quartile, 7);
}

TEST(BreakDown, HasNoFirstTokenWhereOneAnswerWasKeptWithout) {
  const AnswerBreakdown told =
      break_down({{"seen", 1, true, 0.5, 0.25}, {"seen", 1, true, 0.5}, {"seen", 2, true, 1, 0.5}});
  EXPECT_FALSE(told.lengths[0].first_nats.has_value());
  EXPECT_EQ(told.lengths[1].first_nats, 0.5);
}

TEST(BreakDown, OfNothingIsNotMeasuredAndSoIsAResultOfBefore) {
  EXPECT_TRUE(break_down({}).lengths.empty());
  EXPECT_TRUE(break_down({}).spread.empty());
  const auto before = base::parse_config<RunResult>(R"({"variant": "dense", "seed": 3})", "result.json");
  EXPECT_TRUE(before.answers.lengths.empty());
}

TEST(BreakDown, SurvivesItsWayThroughAFile) {
  RunResult run;
  run.answers = break_down({{"seen", 1, true, 0.5, 0.25}, {"unseen", 2, false, 7}});
  const std::string text = base::config_to_json(run).dump();
  EXPECT_EQ(base::config_to_json(base::parse_config<RunResult>(text, "result.json")).dump(), text);
}

}  // namespace
}  // namespace memlayers::results
