#include "evaluation/tables/table_drift.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "generation/tiny_model.h"
#include "support/usage_error.h"

namespace memlayers::evaluation {
namespace {

int64_t rows_of(const std::vector<int64_t>& histogram) {
  return std::accumulate(histogram.begin(), histogram.end(), int64_t{0});
}

TEST(TableDrift, MeasuresTheRowsThatWereChangedAndNoOthers) {
  const at::Tensor then = at::zeros({6, 2}), now = at::zeros({6, 2});
  const auto set = [](const at::Tensor& table, int64_t row, float a, float b) {
    table[row][0] = a;
    table[row][1] = b;
  };
  for (const int64_t row : {0, 1, 2, 3}) set(then, row, 3, 4), set(now, row, 3, 4);
  set(now, 1, 3, 4.25);  // 0.25 of 5
  set(now, 3, 0, 0);     // all of it
  set(now, 5, 0, 2);     // from zero
  const results::TableDrift drift = table_drift("t", now, then, 10);
  EXPECT_EQ(drift.slots, 6);
  EXPECT_EQ(drift.unmoved, 3);
  EXPECT_EQ(drift.from_zero, 1);
  EXPECT_DOUBLE_EQ(drift.largest, 1);
  EXPECT_DOUBLE_EQ(drift.median, 0);  // of 0, 0, 0, 0.05, 1
  EXPECT_DOUBLE_EQ(drift.whole, std::sqrt((0.0625 + 25 + 4) / 100));
  ASSERT_EQ(drift.most.size(), 3U);
  EXPECT_EQ(drift.most[0].slot, 5);
  EXPECT_TRUE(std::isinf(drift.most[0].relative));
  EXPECT_DOUBLE_EQ(drift.most[0].distance, 2);
  EXPECT_EQ(drift.most[1].slot, 3);
  EXPECT_DOUBLE_EQ(drift.most[1].distance, 5);
  EXPECT_EQ(drift.most[2].slot, 1);
  EXPECT_DOUBLE_EQ(drift.most[2].relative, 0.05);
  ASSERT_EQ(drift.histogram.size(), results::drift_edges().size());
  EXPECT_EQ(rows_of(drift.histogram), 2);
  for (size_t bin = 0; bin < drift.histogram.size(); ++bin) {
    const double low = bin == 0 ? 0 : results::drift_edges()[bin - 1];
    const bool holds =
        (low <= 0.05 && 0.05 < results::drift_edges()[bin]) || (low <= 1 && 1 < results::drift_edges()[bin]);
    EXPECT_EQ(drift.histogram[bin], holds ? 1 : 0) << bin;
  }
}

TEST(TableDrift, EqualTablesDoNotMove) {
  const at::Tensor table = at::ones({5, 3}, at::kBFloat16);
  const results::TableDrift drift = table_drift("t", table, table.clone(), 10);
  EXPECT_EQ(drift.unmoved, 5);
  EXPECT_EQ(drift.whole, 0);
  EXPECT_EQ(rows_of(drift.histogram), 0);
  EXPECT_TRUE(drift.most.empty());
}

TEST(TableDrift, EqualMovementIsListedFromTheLowestSlot) {
  const at::Tensor then = at::ones({40'000, 2});  // more rows than are converted at once
  const results::TableDrift drift = table_drift("t", then * 2, then, 3);
  EXPECT_EQ(drift.median, 1);
  ASSERT_EQ(drift.most.size(), 3U);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(drift.most[i].slot, i);
  EXPECT_EQ(rows_of(drift.histogram), 40'000);
}

TEST(ModelDrift, RefusesAModelOfOtherTables) {
  const model::Transformer model = memlayers::testing::tiny_model();
  model::ModelConfig wider = memlayers::testing::tiny_config();
  wider.memory.num_sub_keys = 16;
  const model::Transformer other(wider, 1);
  const std::string said = tests::usage_error([&] { model_drift(model, other, "runs/other", 5); });
  EXPECT_NE(said.find("runs/other"), std::string::npos) << said;
  EXPECT_NE(said.find("[256, 16]"), std::string::npos) << said;
  EXPECT_NE(said.find("[64, 16]"), std::string::npos) << said;
  model::ModelConfig dense = memlayers::testing::tiny_config();
  dense.memory.layers = {};
  const model::Transformer without(dense, 1);
  EXPECT_NE(tests::usage_error([&] { model_drift(model, without, "dense", 5); }).find("has 0 tables"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::evaluation
