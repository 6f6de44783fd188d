#include "training/table_usage.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>

namespace memlayers::training {
namespace {

/// What is left of a bag's reads at the optimizer step. slots [N, M] int64.
ops::TouchedRows reads_of(const at::Tensor& slots) {
  return ops::sort_records({{slots, at::ones(slots.sizes()), at::ones({slots.size(0), 2})}}, 2);
}

TEST(TableUsage, OfNoReadsIsZero) {
  const UsageSummary summary = summarize_usage(std::vector<int64_t>(10, 0));
  EXPECT_EQ(summary.reads, 0);
  EXPECT_EQ(summary.read_share, 0);
  EXPECT_EQ(summary.kl_to_uniform, 0);
  EXPECT_EQ(summary.top_percent_share, 0);
}

TEST(TableUsage, OfEqualReadsIsUniform) {
  const UsageSummary summary = summarize_usage(std::vector<int64_t>(200, 3));
  EXPECT_EQ(summary.reads, 600);
  EXPECT_DOUBLE_EQ(summary.read_share, 1);
  EXPECT_NEAR(summary.kl_to_uniform, 0, 1e-12);
  EXPECT_DOUBLE_EQ(summary.top_percent_share, 0.01);
}

TEST(TableUsage, OfOneSlotDivergesByTheLogarithmOfTheSlots) {
  std::vector<int64_t> counts(64, 0);
  counts[17] = 5;
  const UsageSummary summary = summarize_usage(counts);
  EXPECT_DOUBLE_EQ(summary.read_share, 1.0 / 64);
  EXPECT_NEAR(summary.kl_to_uniform, std::log(64.0), 1e-12);
  EXPECT_DOUBLE_EQ(summary.top_percent_share, 1);
}

TEST(TableUsage, OfHandMadeCounts) {
  // 300 slots, so the top 1 % are three: 10 + 6 + 4 of 24 reads.
  std::vector<int64_t> counts(300, 0);
  counts[0] = 6, counts[7] = 10, counts[299] = 4, counts[100] = 3, counts[101] = 1;
  const UsageSummary summary = summarize_usage(counts);
  EXPECT_EQ(summary.reads, 24);
  EXPECT_DOUBLE_EQ(summary.read_share, 5.0 / 300);
  EXPECT_DOUBLE_EQ(summary.top_percent_share, 20.0 / 24);
  double kl = 0;
  for (double count : {6., 10., 4., 3., 1.}) kl += count / 24 * std::log(count / 24 * 300);
  EXPECT_NEAR(summary.kl_to_uniform, kl, 1e-12);
}

TEST(TableUsage, CountsAWindowAndRemembersSlotsNeverRead) {
  TableUsage usage(5);
  usage.count(reads_of(at::tensor({0, 0, 3, 3, 3, 1}, at::kLong).view({2, 3})));
  EXPECT_EQ(usage.window().reads, 6);
  EXPECT_DOUBLE_EQ(usage.window().read_share, 0.6);
  EXPECT_DOUBLE_EQ(usage.window().top_percent_share, 0.5);
  EXPECT_EQ(usage.dead_slots(), 2);
  usage.start_window();
  EXPECT_EQ(usage.window().reads, 0);
  usage.count(reads_of(at::tensor({4}, at::kLong).view({1, 1})));
  EXPECT_DOUBLE_EQ(usage.window().read_share, 0.2);
  EXPECT_EQ(usage.dead_slots(), 1);
}

}  // namespace
}  // namespace memlayers::training
