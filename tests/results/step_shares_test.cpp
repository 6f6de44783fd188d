#include "results/step_shares.h"

#include <gtest/gtest.h>

#include "support/comparison_fixture.h"

namespace memlayers::results {
namespace {

using results::StepProfile;

StepProfile step_with(std::vector<results::OpProfile> ops) {
  StepProfile step;
  step.ops = std::move(ops);
  return step;
}

TEST(GroupTimes, AddUpSecondsAndLimits) {
  const StepProfile step = step_with({{"a", "x", 4, 1}, {"b", "y", 2, 2}, {"c", "x", 8, 3}});
  const std::vector<results::GroupTime> groups = results::group_times(step, {"x", "y"});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].seconds, 12);
  EXPECT_EQ(groups[0].limit_seconds, 4);
  EXPECT_EQ(groups[1].seconds, 2);
  EXPECT_EQ(groups[1].limit_seconds, 2);
}

TEST(GroupTimes, HaveNoLimitWhereOneOperationHasNone) {
  const StepProfile step = step_with({{"a", "x", 4, 1}, {"b", "x", 2, std::nullopt}});
  EXPECT_FALSE(results::group_times(step, {"x"})[0].limit_seconds.has_value());
}

TEST(GroupTimes, AreNothingForAGroupThatTheStepLacks) {
  const results::GroupTime lacking = results::group_times(step_with({{"a", "x", 4, 1}}), {"y"})[0];
  EXPECT_EQ(lacking.seconds, 0);
  EXPECT_FALSE(lacking.limit_seconds.has_value());
}

TEST(GroupTimes, AddUpToTheStep) {
  const std::vector<results::VariantStep> steps = {tests::fixture::step_of(tests::fixture::kDense),
                                                   tests::fixture::step_of(tests::fixture::kMemoryPlus)};
  for (const results::VariantStep& each : steps) {
    double sum = 0;
    for (const results::GroupTime& group : results::group_times(each.step, results::group_order(steps)))
      sum += group.seconds;
    EXPECT_NEAR(sum, each.step.seconds, 1e-12);
  }
}

TEST(GroupOrder, BeginsWithWhatTakesLongestAnywhereAndEndsWithEverythingElse) {
  const results::VariantStep first{"a", 1,
                                   step_with({{"a", "x", 4, 1}, {"b", "y", 2, 2}, {"c", "everything else", 50, 3}})};
  const results::VariantStep second{"b", 1,
                                    step_with({{"a", "y", 5, 1}, {"b", "z", 3, 2}, {"c", "bookkeeping", 4.5, 3}})};
  EXPECT_EQ(results::group_order({first, second}),
            (std::vector<std::string>{"y", "bookkeeping", "x", "z", "everything else"}));
}

}  // namespace
}  // namespace memlayers::results
