// A rival that computes something else would make any ratio worthless: each must give what our op gives.
#include "bench/torch_compositions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bench/draws.h"
#include "ops/memory_bag/memory_bag.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/row_update/row_update.h"

namespace memlayers::bench {
namespace {

constexpr int64_t kTokens = 6, kBag = 8, kSlots = 40, kDim = 24;

struct Bag {
  at::Tensor table = at::randn({kSlots, kDim}), weights = at::rand({kTokens, kBag});
  at::Tensor slots = uniform_draws(kSlots, {kTokens, kBag}, 1, 0), grad_output = at::randn({kTokens, kDim});
};

TEST(TorchSelection, ChoosesTheSameSlotsAndScores) {
  const at::Tensor query = at::randn({5, 3, 16}), sub_keys = at::randn({3, 2, 20, 8});
  const ops::TopK ours = ops::product_key_topk(query, sub_keys, 7);
  const auto [scores, slots] = torch_selection(query, sub_keys, 7);
  EXPECT_TRUE(at::equal(ours.slots, slots));
  EXPECT_TRUE(at::allclose(ours.scores, scores, 1e-5, 1e-5));
}

TEST(TorchSelection, HasTheSameGradient) {
  const at::Tensor query = at::randn({5, 3, 16}).requires_grad_(true);
  const at::Tensor sub_keys = at::randn({3, 2, 20, 8}).requires_grad_(true), grad = at::randn({5, 3, 7});
  ops::product_key_topk(query, sub_keys, 7).scores.backward(grad);
  const at::Tensor ours = query.grad().clone(), our_keys = sub_keys.grad().clone();
  query.mutable_grad().reset();
  sub_keys.mutable_grad().reset();
  std::get<0>(torch_selection(query, sub_keys, 7)).backward(grad);
  EXPECT_TRUE(at::allclose(ours, query.grad(), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(our_keys, sub_keys.grad(), 1e-5, 1e-5));
}

TEST(TorchBag, GivesTheSameSumAndWeightGradient) {
  const Bag bag;
  const TorchBag torch_bag(kTokens, kBag);
  const at::Tensor ours = ops::memory_bag(bag.table, bag.slots, bag.weights, nullptr);
  EXPECT_TRUE(at::allclose(ours, torch_bag.forward(bag.table, bag.slots, bag.weights), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(ours, torch_gather_bag(bag.table, bag.slots, bag.weights), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(ops::memory_bag_weight_gradient(bag.table, bag.slots, bag.grad_output),
                           torch_bag.weight_gradient(bag.table, bag.slots, bag.grad_output), 1e-5, 1e-5));
}

class TorchUpdate : public ::testing::TestWithParam<ops::RowOptimizer> {};

TEST_P(TorchUpdate, MovesTheTableAsOurs) {
  const Bag bag;
  const AdamRates rates;
  ops::RowUpdateOptions options;
  options.kind = GetParam();
  options.weight_decay = rates.weight_decay;
  at::Tensor ours = bag.table.clone();
  ops::RowState state = ops::make_row_state(ours, options.kind);
  AdamTable theirs{bag.table.clone(), at::zeros_like(ours), at::zeros_like(ours)};
  const TorchBag torch_bag(kTokens, kBag);
  const std::vector<double> learning_rates(3, rates.learning_rate);
  for (int64_t step = 1; step <= 3; ++step) {
    const at::Tensor slots = uniform_draws(kSlots, {kTokens, kBag}, 1, uint64_t(step));
    const auto gradient = ops::gather_row_gradient({{slots, bag.weights, bag.grad_output}}, kDim);
    ops::row_update(ours, state, gradient, step, learning_rates, options);
    if (GetParam() == ops::RowOptimizer::kLazy) {
      torch_sparse_step(theirs, slots, bag.weights, bag.grad_output, step, rates);
    } else {
      torch_dense_step(theirs, torch_bag.table_gradient(kSlots, slots, bag.weights, bag.grad_output), step, rates);
    }
  }
  ops::bring_all_up_to_date(ours, state, 3, learning_rates, options);
  EXPECT_TRUE(at::allclose(ours, theirs.weight, 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(ours, bag.table, 1e-5, 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Kinds, TorchUpdate, ::testing::Values(ops::RowOptimizer::kExact, ops::RowOptimizer::kLazy));

TEST(TorchBag, OfDequantizedRowsIsOurQuantizedBag) {
  for (int64_t bits : {8, 4}) {
    at::manual_seed(2);
    const ops::QuantizedRows rows = ops::quantize_rows(at::randn({50, 64}), bits);
    const at::Tensor slots = uniform_draws(50, {6, 5}, 1, 0), weights = at::rand({6, 5}), grad = at::randn({6, 64});
    EXPECT_TRUE(at::allclose(torch_dequantized_bag(rows.codes, rows.scales, slots, weights),
                             ops::memory_bag(rows, slots, weights), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(torch_dequantized_weight_gradient(rows.codes, rows.scales, slots, grad),
                             ops::memory_bag_weight_gradient(rows, slots, grad), 1e-5, 1e-5));
  }
}

TEST(Draws, ZipfPrefersAFewNumbersAndStaysInside) {
  const at::Tensor drawn = ZipfDraws(1000, 1).draw({20'000}, 0);
  EXPECT_GE(drawn.min().item<int64_t>(), 0);
  EXPECT_LT(drawn.max().item<int64_t>(), 1000);
  const at::Tensor counts = std::get<0>(drawn.bincount({}, 1000).sort(0, /*descending=*/true));
  double harmonic = 0;
  for (int rank = 1; rank <= 1000; ++rank) harmonic += std::pow(rank, -kZipfExponent);
  const double expected = 20'000 / harmonic;
  EXPECT_NEAR(counts[0].item<double>(), expected, 5 * std::sqrt(expected));
}

TEST(Draws, DistinctSetsShareNoSlotAndReadEachEquallyOften) {
  const auto sets = distinct_slot_sets(256, 64, 16, 8, 4);
  const at::Tensor counts = at::cat(sets).view({-1}).bincount({}, 256);
  EXPECT_EQ(counts.min().item<int64_t>(), 2);
  EXPECT_EQ(counts.max().item<int64_t>(), 2);
}

}  // namespace
}  // namespace memlayers::bench
