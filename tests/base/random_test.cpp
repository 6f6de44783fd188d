#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace memlayers::base {
namespace {

TEST(Philox, GivesThePublishedKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, ContinuesFromAPosition) {
  RandomStream whole(7, "test", 3);
  std::vector<uint64_t> draws;
  for (int i = 0; i < 20; ++i) draws.push_back(whole.next());
  for (uint64_t start = 0; start < 20; ++start) {
    RandomStream resumed(7, "test", 3);
    resumed.set_position(start);
    for (uint64_t i = start; i < 20; ++i) ASSERT_EQ(resumed.next(), draws[i]) << "from " << start;
  }
}

TEST(RandomStream, DiffersBySeedPurposeAndIndex) {
  std::set<uint64_t> first;
  for (uint64_t seed : {1, 2})
    for (const char* purpose : {"order", "dropout"})
      for (uint64_t index : {0, 1}) first.insert(RandomStream(seed, purpose, index).next());
  EXPECT_EQ(first.size(), 8u);
}

TEST(RandomStream, DrawsUniformlyBelowABound) {
  RandomStream stream(1, "below");
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) ++counts[stream.below(7)];
  // Chi-squared with 6 degrees of freedom passes 22.5 once in a thousand; the stream is fixed, so this cannot flicker.
  double chi_squared = 0;
  for (int count : counts) chi_squared += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi_squared, 22.5);
  EXPECT_EQ(stream.below(1), 0u);
}

TEST(RandomStream, DrawsNormalNumbersOfMeanZeroAndDeviationOne) {
  RandomStream stream(1, "normal");
  double sum = 0, squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double value = stream.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.02);
}

TEST(RandomStream, ShufflesIntoAPermutation) {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<int> sorted = items;
  RandomStream(3, "shuffle").shuffle(items);
  EXPECT_NE(items, sorted);
  std::sort(items.begin(), items.end());
  EXPECT_EQ(items, sorted);
}

TEST(Permuted, IsAPermutationForEverySize) {
  for (uint64_t size : {1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097}) {
    for (uint64_t key : {0, 1, 99}) {
      std::vector<bool> seen(size, false);
      for (uint64_t i = 0; i < size; ++i) {
        const uint64_t image = permuted(i, size, key);
        ASSERT_LT(image, size);
        ASSERT_FALSE(seen[image]) << "size " << size << " key " << key << " index " << i;
        seen[image] = true;
      }
    }
  }
}

TEST(Permuted, DiffersByKeyAndLeavesNoLongRunInPlace) {
  int equal_under_two_keys = 0, neighbors_kept = 0;
  for (uint64_t i = 0; i + 1 < 1000; ++i) {
    equal_under_two_keys += permuted(i, 1000, 1) == permuted(i, 1000, 2);
    neighbors_kept += permuted(i + 1, 1000, 1) == permuted(i, 1000, 1) + 1;
  }
  EXPECT_LT(equal_under_two_keys, 10);
  EXPECT_LT(neighbors_kept, 10);
}

}  // namespace
}  // namespace memlayers::base
