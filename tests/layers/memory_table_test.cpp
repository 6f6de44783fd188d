#include "layers/memory_table.h"

#include <gtest/gtest.h>

#include "layers/local_table.h"
#include "support/memory_fixture.h"
#include "support/ngram_fixture.h"
#include "support/test_table.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::tests {
namespace {

using layers::MemoryTable;

constexpr int64_t kHidden = 12;

layers::MemoryConfig small_config(layers::MemoryVariant variant = layers::MemoryVariant::kValues) {
  layers::MemoryConfig config;
  config.layers = {0};
  config.num_sub_keys = 5;
  config.heads = 2;
  config.top_k = 3;
  config.key_dim = 8;
  config.value_dim = kHidden;
  config.variant = variant;
  return config;
}

std::shared_ptr<MemoryTable> small_table() { return layers::make_local_table({"a table", 6, 4}); }

void tell(const MemoryTable& table) { table.tell_listeners(3, at::zeros({1, 1}, at::kLong), at::ones({1, 1})); }

TEST(MemoryTable, TellsEveryListenerInTheOrderTheyCame) {
  const auto table = small_table();
  std::vector<int> told;
  const auto first = table->listen([&](int64_t layer, auto&&...) { told.push_back(static_cast<int>(layer)); });
  const auto second = table->listen([&](auto&&...) { told.push_back(2); });
  tell(*table);
  EXPECT_EQ(told, (std::vector<int>{3, 2}));
}

TEST(MemoryTable, AListenerThatWasTakenOffHearsNothingMore) {
  const auto table = small_table();
  int first = 0, second = 0;
  std::optional<MemoryTable::Listening> leaving = table->listen([&](auto&&...) { ++first; });
  auto moved = table->listen([&](auto&&...) { ++second; });
  tell(*table);
  leaving.reset();
  const MemoryTable::Listening staying = std::move(moved);
  tell(*table);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2) << "a handle that moved still holds its listener";
  static_assert(!std::is_copy_constructible_v<MemoryTable::Listening>);
}

TEST(MemoryTable, ListenersMayComeAndGoWhileTheyAreTold) {
  const auto table = small_table();
  int once = 0, late = 0;
  std::optional<MemoryTable::Listening> itself, newcomer;
  itself = table->listen([&](auto&&...) {
    ++once;
    newcomer = table->listen([&](auto&&...) { ++late; });
    itself.reset();
  });
  tell(*table);
  tell(*table);
  EXPECT_EQ(once, 1);
  EXPECT_GE(late, 1);
}

TEST(MemoryTable, AListenersHandleMayOutliveTheTable) {
  auto table = small_table();
  const auto listening = table->listen([](auto&&...) {});
  table.reset();
}

TEST(MemoryTable, HasOneKeeperAtATime) {
  const auto table = small_table();
  TestKeeper one([](const at::Tensor&) {}), other([](const at::Tensor&) {});
  table->set_keeper(&one);
  EXPECT_NE(usage_error([&] { table->set_keeper(&other); }).find("a table"), std::string::npos);
  EXPECT_EQ(table->keeper(), &one);
  table->set_keeper(nullptr);
  table->set_keeper(&other);
  table->set_keeper(nullptr);
}

TEST(MemoryTable, BringsRowsUpToDateBeforeEveryKindOfRead) {
  const auto table = small_table();
  rows_of(*table).zero_();
  const at::Tensor slots = at::tensor({1, 4}, at::kLong).view({1, 2});
  TestKeeper keeper([&](const at::Tensor& read) { rows_of(*table).index_fill_(0, read.flatten(), 1); },
                    [&] { rows_of(*table).fill_(2); });
  table->set_keeper(&keeper);
  EXPECT_TRUE(table->bag(slots, at::ones({1, 2})).equal(at::full({1, 4}, 2.0f)));
  EXPECT_EQ(rows_of(*table).sum().item<float>(), 2 * 4) << "and no others";
  rows_of(*table).zero_();
  EXPECT_TRUE(table->dots(slots, at::ones({1, 4})).equal(at::full({1, 2}, 4.0f)));
  EXPECT_TRUE(table->range(2, 5).equal(at::full({3, 4}, 2.0f)));
  rows_of(*table).zero_();
  EXPECT_TRUE(table->direct_rows()->equal(at::full({6, 4}, 2.0f)));
  table->set_keeper(nullptr);
}

TEST(MemoryTable, RecordsAreTakenOnce) {
  const auto table = small_table();
  rows_of(*table).fill_(1);
  const at::Tensor weights = at::ones({1, 2}).requires_grad_();
  table->bag(at::zeros({1, 2}, at::kLong), weights).sum().backward();
  EXPECT_EQ(table->records().size(), 1u);
  EXPECT_EQ(table->take_records().size(), 1u);
  EXPECT_TRUE(table->records().empty());
}

TEST(MemoryTable, WhatCanOnlyBeDoneInMemorySaysSoOfOtherTables) {
  DistantTable table({"far away", 6, 4}, at::zeros({6, 4}));
  const std::string refusal = usage_error([&] { layers::local_table(table, "training"); });
  EXPECT_NE(refusal.find("far away"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("training"), std::string::npos) << refusal;
}

/// A copy of the layer's tables elsewhere.
std::shared_ptr<DistantTable> distant(MemoryTable& table) {
  return std::make_shared<DistantTable>(
      layers::TableShape{table.name(), table.rows(), table.value_dim(), table.addressing()}, rows_of(table));
}

// What no layer needs is a tensor of rows.
TEST(MemoryTable, AMemoryLayerReadsATableThatIsElsewhere) {
  for (const auto variant : {layers::MemoryVariant::kValues, layers::MemoryVariant::kPeer}) {
    const layers::MemoryConfig config = small_config(variant);
    MemoryFixture near(config, kHidden);
    layers::MemoryTables tables;
    const auto values = distant(*near.tables.values);
    tables.values = values;
    if (near.tables.down) tables.down = distant(*near.tables.down);
    layers::MemoryLayer far(config, kHidden, 1e-5, 0, tables);
    layers::ParameterList parameters, buffers;
    far.collect("memory", parameters, buffers);
    for (size_t i = 0; i < parameters.size(); ++i) *parameters[i].tensor = *near.parameters[i].tensor;
    int reads = 0;
    const auto listening = values->listen([&](auto&&...) { ++reads; });
    at::manual_seed(7);
    const at::Tensor x = at::randn({2, 3, kHidden});
    const at::Tensor here = near.forward(x), there = far.forward(x, near.context);
    EXPECT_TRUE(there.allclose(here, kFloatRelative, kFloatAbsolute));
    EXPECT_TRUE(there.requires_grad());
    EXPECT_EQ(values->given(), 6 * 2 * 3);
    far.freeze(at::kFloat);
    EXPECT_TRUE(near.decode(far, x).allclose(near.decode(x), kFloatRelative, kFloatAbsolute));
    EXPECT_EQ(reads, 2);
  }
}

TEST(MemoryTable, AnNgramLayerReadsATableThatIsElsewhere) {
  layers::NgramConfig config;
  config.layers = {0};
  config.orders = {2, 3};
  config.hashes = 2;
  config.rows = 5;
  config.value_dim = 6;
  NgramFixture fixture(config, kHidden);
  fixture.fill_value_proj();
  const at::Tensor x = at::randn({1, 4, kHidden}), tokens = at::tensor({1, 5, 6, 7}, at::kLong).view({1, 4});
  const at::Tensor here = fixture.forward(x, tokens);
  const layers::NgramLayer::Options options{kHidden, 1e-5, 3, {1, 0}};
  layers::NgramLayer far(config, options, distant(*fixture.table));
  layers::ParameterList parameters;
  far.collect("ngrams", parameters);
  for (size_t i = 0; i < parameters.size(); ++i) *parameters[i].tensor = *fixture.parameters[i].tensor;
  EXPECT_TRUE(far.forward(x, fixture.context).allclose(here, kFloatRelative, kFloatAbsolute));
}

}  // namespace
}  // namespace memlayers::tests
