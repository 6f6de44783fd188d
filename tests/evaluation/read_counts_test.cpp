#include "evaluation/tables/read_counts.h"

#include <gtest/gtest.h>

#include "evaluation/tables/slot_light.h"

namespace memlayers::evaluation {
namespace {

/// Two heads of two slots each.
void read(ReadCounts& counts, int64_t layer, const std::vector<int64_t>& slots, int64_t table = 0) {
  const std::vector<double> weights(slots.size(), 0.5);
  counts.add({table, layer, 0, 0, slots, weights});
}

/// Layer 1 reads slots 0 to 3, layer 4 slots 3 and 7; slot 3 most.
results::Inspection hand_made(int64_t top = 10) {
  ReadCounts counts({{"model.memory_tables.0.weight", 9}}, 2);
  read(counts, 1, {0, 1, 3, 2});
  read(counts, 1, {0, 3, 3, 1});
  read(counts, 4, {3, 7, 7, 3});
  results::Inspection inspection;
  counts.summarize(3, top, inspection);
  return inspection;
}

TEST(ReadCounts, CountsDeadSlotsByLayerAndHead) {
  const results::Inspection inspection = hand_made();
  ASSERT_EQ(inspection.layers.size(), 2U);
  ASSERT_EQ(inspection.heads.size(), 4U);
  EXPECT_EQ(inspection.layers[0].layer, 1);
  EXPECT_EQ(inspection.layers[0].head, results::kAllHeads);
  EXPECT_EQ(inspection.layers[0].reads, 8);
  EXPECT_EQ(inspection.layers[0].dead, 5);
  EXPECT_EQ(inspection.layers[1].reads, 4);
  EXPECT_EQ(inspection.layers[1].dead, 7);
  const std::vector<int64_t> dead{6, 6, 7, 7};  // {0, 1, 3}, {3, 2, 1}, {3, 7}, {7, 3}
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(inspection.heads[i].layer, i < 2 ? 1 : 4);
    EXPECT_EQ(inspection.heads[i].head, static_cast<int64_t>(i % 2));
    EXPECT_EQ(inspection.heads[i].dead, dead[i]) << i;
    EXPECT_DOUBLE_EQ(inspection.heads[i].spread.used_share, static_cast<double>(9 - dead[i]) / 9);
  }
}

TEST(ReadCounts, HotIsReadMoreThanOnceAndTheFactorTimesAsOftenAsEvenReading) {
  EXPECT_EQ(head_use(0, 0, 0, {3, 0, 0, 1, 0, 0, 0, 0}, 6).hot, 1);  // even: half a read
  EXPECT_EQ(head_use(0, 0, 0, {3, 0, 0, 1, 0, 0, 0, 0}, 6.1).hot, 0);
  EXPECT_EQ(head_use(0, 0, 0, {1, 0, 0, 0, 0, 0, 0, 0}, 2).hot, 0);  // once is chance
  EXPECT_EQ(head_use(0, 0, 0, {5, 5, 5, 5}, 1).hot, 4);
  EXPECT_EQ(head_use(0, 0, 0, {0, 0, 0}, 2).hot, 0);
  EXPECT_EQ(head_use(0, 0, 0, {0, 0, 0}, 2).dead, 3);
}

TEST(ReadCounts, CountsTheSlotsThatLayersShare) {
  const results::Inspection inspection = hand_made();
  ASSERT_EQ(inspection.tables.size(), 1U);
  EXPECT_EQ(inspection.tables[0].layers, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(inspection.tables[0].read_by, (std::vector<int64_t>{4, 4, 1}));
  ASSERT_EQ(inspection.pairs.size(), 1U);
  EXPECT_EQ(inspection.pairs[0].first, 1);
  EXPECT_EQ(inspection.pairs[0].second, 4);
  EXPECT_EQ(inspection.pairs[0].both, 1);
  EXPECT_DOUBLE_EQ(inspection.pairs[0].by_chance, 4.0 * 2 / 9);
}

TEST(ReadCounts, OrdersTheMostReadSlotsAndBreaksTiesByTheLowerSlot) {
  const results::Inspection inspection = hand_made(3);
  const auto& most = inspection.tables[0].most_read;
  ASSERT_EQ(most.size(), 3U);
  EXPECT_EQ(most[0].slot, 3);
  EXPECT_EQ(most[0].reads, 5);
  EXPECT_EQ(most[0].by_layer, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(most[1].slot, 0);
  EXPECT_EQ(most[2].slot, 1);
  EXPECT_EQ(hand_made(10).tables[0].most_read.size(), 5U);  // none without a read
}

TEST(ReadCounts, LayersWithTablesOfTheirOwnShareNothing) {
  ReadCounts counts({{"a", 4}, {"b", 4}}, 2);
  read(counts, 0, {0, 1, 0, 1}, 0);
  read(counts, 2, {0, 1, 2, 1}, 1);
  results::Inspection inspection;
  counts.summarize(10, 5, inspection);
  EXPECT_TRUE(inspection.pairs.empty());
  EXPECT_EQ(inspection.tables[0].read_by, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(inspection.tables[1].read_by, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(counts.reads(2, 1, 2), 1);
  EXPECT_EQ(counts.layer_reads(2, 1), 2);
  EXPECT_EQ(counts.table_reads(0, 1), 2);
  EXPECT_EQ(counts.layer_reads(1, 1), 0);  // no such layer
}

TEST(SlotLights, SumWeightsByOwnerAndRememberTheStrongestToken) {
  SlotLights lights(5, 1, 2);
  const auto add = [&](int64_t layer, int64_t owner, int64_t position, std::vector<int64_t> slots,
                       std::vector<double> weights) {
    lights.add({0, layer, owner, position, slots, weights}, owner);
  };
  add(1, 0, 0, {5, 1, 2, 5}, {0.25, 0.75, 0.5, 0.5});
  add(1, 0, 1, {5, 1, 2, 3}, {0.5, 0.5, 0.5, 0.5});
  add(2, 1, 7, {1, 2, 3, 5}, {0.5, 0.5, 0, 1});
  add(2, 2, 0, {1, 2, 3, 4}, {0.5, 0.5, 0.5, 0.5});
  add(2, 3, 4, {5, 2, 3, 4}, {1, 0, 0.5, 0.5});
  const auto top = lights.top(0, 10);
  ASSERT_EQ(top.size(), 3U);
  EXPECT_EQ(top[0].owner, 0);
  EXPECT_EQ(top[0].reads, 3);
  EXPECT_DOUBLE_EQ(top[0].weight, 1.25);
  EXPECT_EQ(top[0].position, 0);  // the first of two equal peaks
  EXPECT_EQ(top[1].owner, 1);     // as much weight as owner 3
  EXPECT_EQ(top[1].position, 7);
  EXPECT_EQ(lights.top(0, 1).size(), 1U);
  const auto heads = lights.heads(0);
  ASSERT_EQ(heads.size(), 4U);
  EXPECT_EQ(heads[0].reads, 2);
  EXPECT_DOUBLE_EQ(heads[0].weight, 0.75);
  EXPECT_EQ(heads[3].layer, 2);
  EXPECT_EQ(heads[3].head, 1);
}

}  // namespace
}  // namespace memlayers::evaluation
