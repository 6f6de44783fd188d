#include "bench/measure.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/interrupt.h"

namespace memlayers::bench {
namespace {

/// Keeps the processor busy rather than sleep, since a sleep ends when the scheduler likes.
void spin(double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < seconds) {}
}

const MeasureOptions kBrief = {.seconds = 0, .min_pairs = 5, .max_pairs = 5, .sample = 1e-3};

TEST(Median, IsTheMiddleValueOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 100, 2}), 3);
}

TEST(Median, IsNotMovedByOneDisturbedValue) { EXPECT_EQ(median({1, 1, 1, 1, 1e9}), 1); }

TEST(RelativeSpread, IsTheDistanceOfTheQuartilesOverTheMedian) {
  EXPECT_EQ(relative_spread({5, 5, 5}), 0);
  EXPECT_DOUBLE_EQ(relative_spread({1, 2, 3, 4, 5}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(relative_spread({5, 3, 1, 2, 4}), 2.0 / 3);
}

TEST(Measure, TakesBothInTurnsAndGivesTheirsOverOurs) {
  std::string order;
  const Timing timing = measure(
      [&] {
        order += 'o';
        spin(2e-3);
      },
      [&] {
        order += 't';
        spin(8e-3);
      },
      kBrief);
  EXPECT_EQ(order,
            "oottotototot"
            "ot");  // twice each to warm up and to see how long they take, then five pairs
  EXPECT_EQ(timing.runs, 5);
  EXPECT_GE(timing.seconds, 2e-3);
  EXPECT_GE(timing.against_seconds, 8e-3);
  EXPECT_GT(timing.ratio, 1);
}

TEST(Measure, CallsWhatIsShortManyTimesForOneSample) {
  int calls = 0;
  const Timing timing = measure([&] { ++calls; }, {}, kBrief);
  EXPECT_GT(calls, 1000);
  EXPECT_EQ(timing.runs, 5);
  EXPECT_GT(timing.seconds, 0);
  EXPECT_EQ(timing.against_seconds, 0);
  EXPECT_EQ(timing.ratio, 0);
}

TEST(Measure, AddsPairsWhileThereIsTime) {
  const Timing timing = measure([] { spin(1e-3); }, [] { spin(1e-3); },
                                {.seconds = 0.2, .min_pairs = 2, .max_pairs = 1000, .sample = 1e-4});
  EXPECT_GT(timing.runs, 2);
}

TEST(Measure, EndsWithOnePairWhenInterrupted) {
  base::set_interrupted(true);
  const Timing timing = measure([] { spin(1e-4); }, [] { spin(1e-4); }, {.seconds = 60, .min_pairs = 1000});
  base::set_interrupted(false);
  EXPECT_EQ(timing.runs, 1);
  EXPECT_GT(timing.ratio, 0);
}

}  // namespace
}  // namespace memlayers::bench
