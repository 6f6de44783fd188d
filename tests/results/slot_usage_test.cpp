#include "results/slot_usage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace memlayers::results {
namespace {

TEST(SlotUsage, EvenReadsAreUniform) {
  const SlotUsage usage = usage_of(std::vector<int64_t>(400, 7));
  EXPECT_EQ(usage.slots, 400);
  EXPECT_DOUBLE_EQ(usage.used_share, 1);
  EXPECT_NEAR(usage.kl_to_uniform, 0, 1e-12);
  EXPECT_NEAR(usage.top_percent_share, 0.01, 1e-12);
  for (double share : usage.read_share) EXPECT_NEAR(share, 0.01, 1e-12);
}

TEST(SlotUsage, ASingleSlotReadTakesEverything) {
  std::vector<int64_t> reads(200, 0);
  reads[77] = 5;
  const SlotUsage usage = usage_of(reads);
  EXPECT_DOUBLE_EQ(usage.used_share, 1.0 / 200);
  EXPECT_NEAR(usage.kl_to_uniform, std::log(200), 1e-12);
  EXPECT_DOUBLE_EQ(usage.top_percent_share, 1);
}

TEST(SlotUsage, HundredthsAreSortedByReadsAndSumToOne) {
  std::vector<int64_t> reads(64);
  std::iota(reads.begin(), reads.end(), 0);
  const SlotUsage usage = usage_of(reads);
  EXPECT_NEAR(std::accumulate(usage.read_share.begin(), usage.read_share.end(), 0.0), 1, 1e-12);
  EXPECT_NEAR(usage.read_share[0], 63.0 / (63 * 64 / 2), 1e-12);
  EXPECT_EQ(usage.read_share.size(), 100u);
}

TEST(SlotUsage, WithoutReadsEverythingIsZero) {
  const SlotUsage usage = usage_of(std::vector<int64_t>(10, 0));
  EXPECT_EQ(usage.used_share, 0);
  EXPECT_EQ(usage.kl_to_uniform, 0);
  EXPECT_EQ(usage.top_percent_share, 0);
}

TEST(SlotUsage, OfHandMadeCounts) {
  // 300 slots, so the top 1 % are three: 10 + 6 + 4 of 24 reads.
  std::vector<int64_t> reads(300, 0);
  reads[0] = 6, reads[7] = 10, reads[299] = 4, reads[100] = 3, reads[101] = 1;
  const SlotUsage usage = usage_of(reads);
  EXPECT_DOUBLE_EQ(usage.used_share, 5.0 / 300);
  EXPECT_DOUBLE_EQ(usage.top_percent_share, 20.0 / 24);
  EXPECT_DOUBLE_EQ(usage.read_share[1], 4.0 / 24);
  double kl = 0;
  for (double count : {6., 10., 4., 3., 1.}) kl += count / 24 * std::log(count / 24 * 300);
  EXPECT_NEAR(usage.kl_to_uniform, kl, 1e-12);
}

// By the definition, slot after slot; numbers of slots that 100 does not divide, counts that many slots share.
TEST(SlotUsage, HundredthsAreThoseOfEachSlotsRank) {
  for (const int64_t slots : {1, 7, 99, 100, 101, 250, 1000}) {
    std::vector<int64_t> reads;
    for (int64_t i = 0; i < slots; ++i) reads.push_back(i * i % 13);
    const SlotUsage usage = usage_of(reads);
    const double total = double(std::accumulate(reads.begin(), reads.end(), int64_t{0}));
    std::sort(reads.rbegin(), reads.rend());
    std::vector<double> expected(100, 0.0);
    for (int64_t i = 0; i < slots && total > 0; ++i)
      expected[size_t(i * 100 / slots)] += double(reads[size_t(i)]) / total;
    for (size_t part = 0; part < 100; ++part)
      EXPECT_NEAR(usage.read_share[part], expected[part], 1e-12) << slots << " " << part;
  }
}

}  // namespace
}  // namespace memlayers::results
