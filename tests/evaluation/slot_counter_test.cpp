#include "evaluation/tables/slot_counter.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "generation/tiny_model.h"

namespace memlayers::evaluation {
namespace {

TEST(SlotCounter, CountsEveryReadOfTheModelBesideWhoeverElseListens) {
  model::Transformer model = memlayers::testing::tiny_model();
  ASSERT_EQ(model.tables().size(), 1u);
  int64_t seen_by_other = 0;
  const auto listening = model.tables()[0].table->listen(
      [&](int64_t, const at::Tensor& slots, const at::Tensor&) { seen_by_other += slots.numel(); });
  const at::NoGradGuard no_grad;
  const at::Tensor tokens = at::arange(12, at::kLong).view({2, 6});
  {
    const SlotCounter counter(model);
    EXPECT_TRUE(counter.usage().empty());
    model.forward(tokens);
    ASSERT_EQ(counter.usage().size(), 1u);
    const results::SlotUsage usage = counter.usage()[0];
    EXPECT_EQ(usage.layer, 1);
    EXPECT_EQ(usage.slots, 64);
    EXPECT_GT(usage.used_share, 0);
    EXPECT_NEAR(std::accumulate(usage.read_share.begin(), usage.read_share.end(), 0.0), 1, 1e-9);
  }
  const int64_t once = 12 * 2 * 4;  // N * H * k
  EXPECT_EQ(seen_by_other, once);
  model.forward(tokens);
  EXPECT_EQ(seen_by_other, 2 * once);
}

TEST(SlotCounter, KeepsAMemoryAndAnNgramLayerOfOneBlockApart) {
  model::ModelConfig config = memlayers::testing::tiny_config();
  config.ngrams.layers = {0, 1};
  config.ngrams.hashes = 2;
  config.ngrams.rows = 30;
  model::Transformer model(config, 3);
  const at::NoGradGuard no_grad;
  const SlotCounter counter(model);
  model.forward(at::arange(12, at::kLong).view({2, 6}));
  const std::vector<results::SlotUsage> usage = counter.usage();
  ASSERT_EQ(usage.size(), 3u);
  EXPECT_EQ(usage[0].table, "memory");
  EXPECT_EQ(usage[0].layer, 1);
  EXPECT_EQ(usage[0].slots, 64);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(usage[i].table, "ngrams");
    EXPECT_EQ(usage[i].layer, static_cast<int64_t>(i) - 1);
    EXPECT_EQ(usage[i].slots, 4 * 30);
    EXPECT_GT(usage[i].used_share, 0.2);  // 48 reads
    EXPECT_LE(usage[i].used_share, 0.4);
  }
}

}  // namespace
}  // namespace memlayers::evaluation
