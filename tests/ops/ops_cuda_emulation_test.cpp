// What the emulated run of the op suites adds: that they do run on the CUDA kernels, and the sizes at which the kernels
// take another way.
#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "ops/cuda/emulation.h"
#include "ops/memory_bag/memory_bag.h"
#include "ops/memory_bag/memory_bag_reference.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/product_key_topk/product_key_topk_reference.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rms_norm/rms_norm_kernel.h"
#include "ops/rotary/rotary.h"
#include "ops/row_update/row_update.h"
#include "ops/row_update/row_update_reference.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy.h"
#include "ops/swiglu/swiglu.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

/// Blocks that `call` runs on the emulation.
template <class Call>
int64_t blocks_of(Call call) {
  const int64_t before = emulation::blocks_run();
  call();
  return emulation::blocks_run() - before;
}

at::Tensor integers(at::IntArrayRef sizes, int64_t largest) {
  return at::randint(-largest, largest + 1, sizes).to(at::kFloat);
}

::testing::AssertionResult same(const TopK& actual, const TopK& expected) {
  if (auto slots = bit_equal(actual.slots, expected.slots); !slots) return slots << " (slots)";
  return bit_equal(actual.scores, expected.scores) << " (scores)";
}

TEST(CudaEmulation, TakesThePlaceOfTheCpuKernels) {
  const at::Tensor table = at::randn({9, 6}), slots = at::randint(9, {5, 3}, at::kLong), weights = at::randn({5, 3});
  EXPECT_GT(blocks_of([&] { memory_bag(table, slots, weights, nullptr); }), 0);
  EXPECT_GT(blocks_of([&] { memory_bag_weight_gradient(table, slots, at::randn({5, 6})); }), 0);
  const QuantizedRows rows = quantize_rows(table, 4);
  EXPECT_GT(blocks_of([&] { memory_bag(rows, slots, weights); }), 0);
  EXPECT_GT(blocks_of([&] { memory_bag_weight_gradient(rows, slots, at::randn({5, 6})); }), 0);
  const at::Tensor query = at::randn({3, 2, 8}).requires_grad_(true), keys = at::randn({2, 2, 5, 4});
  TopK best;
  EXPECT_GT(blocks_of([&] { best = product_key_topk(query, keys, 3); }), 0);
  EXPECT_GT(blocks_of([&] { best.scores.sum().backward(); }), 0);
  RowGradient gradient;
  EXPECT_GT(blocks_of([&] { gradient = gather_row_gradient({{slots, weights, at::randn({5, 6})}}, 6); }), 0);
  EXPECT_GT(blocks_of([&] { squared_norm(gradient); }), 0);
  at::Tensor trained = table.clone();
  RowState state = make_row_state(trained, RowOptimizer::kExact);
  EXPECT_GT(blocks_of([&] { row_update(trained, state, gradient, 1, {0.1, 0.1}, {}); }), 0);
  EXPECT_GT(blocks_of([&] { bring_all_up_to_date(trained, state, 2, {0.1, 0.1}, {}); }), 0);
  const at::Tensor x = at::randn({4, 6}).requires_grad_(true), angles = at::ones({4, 3});
  at::Tensor y;
  EXPECT_GT(blocks_of([&] { y = rms_norm(x, at::ones({6}), 1e-5); }), 0);
  EXPECT_GT(blocks_of([&] { y.sum().backward(); }), 0);
  EXPECT_GT(blocks_of([&] { y = swiglu(x, x); }), 0);
  EXPECT_GT(blocks_of([&] { y.sum().backward(); }), 0);
  EXPECT_GT(blocks_of([&] { rotary(at::randn({1, 4, 2, 6}), angles, angles, 0); }), 0);
  at::Tensor logits = at::randn({4, 9});
  EXPECT_GT(blocks_of([&] { softmax_cross_entropy(logits, at::zeros({4}, at::kLong)); }), 0);
  EXPECT_GT(blocks_of([&] { softmax_cross_entropy_gradient_(logits, at::zeros({4}, at::kLong), 1); }), 0);
}

// Lists of more than 96 sub-keys are ranked from all scores, more than 512 pairs from scratch memory.
TEST(CudaEmulation, LongListsGiveTheSameSelection) {
  at::manual_seed(1);
  for (int64_t k : {95, 96, 97, 129}) {
    const at::Tensor query = integers({3, 2, 10}, 3), keys = integers({2, 2, 130, 5}, 3);
    EXPECT_TRUE(same(product_key_topk(query, keys, k), product_key_topk_reference(query, keys, k))) << k;
  }
}

TEST(CudaEmulation, HalfScoresOfAMatrixLibraryGiveTheSameSelection) {
  at::manual_seed(2);
  const auto op = c10::Dispatcher::singleton()
                      .findSchemaOrThrow("memlayers::product_key_topk_of_half_scores", "")
                      .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, int64_t)>();
  for (int64_t k : {1, 8, 32, 120}) {
    const at::Tensor query = integers({4, 2, 12}, 2), keys = integers({2, 2, 150, 6}, 2);
    const at::Tensor half_scores = at::einsum("thzd,hznd->thzn", {query.view({4, 2, 2, 6}), keys}).contiguous();
    const auto [scores, slots] = op.call(half_scores, k);
    EXPECT_TRUE(same({scores, slots}, product_key_topk(query, keys, k))) << k;
  }
}

TEST(CudaEmulation, ManySubKeysAreListedTileByTile) {
  at::manual_seed(3);
  const at::Tensor query = at::randn({35, 1, 6}, at::kDouble), keys = at::randn({1, 2, 700, 3}, at::kDouble);
  EXPECT_TRUE(bit_equal(product_key_topk(query, keys, 32).slots, product_key_topk_reference(query, keys, 32).slots));
}

TEST(CudaEmulation, SortingGoesOnAcrossTiles) {
  at::manual_seed(4);
  BagRecords records;
  for (int64_t tokens : {1700, 900}) {
    const at::Tensor slots = (at::rand({tokens, 4}).square() * 70000).to(at::kLong);
    records.push_back({slots, integers({tokens, 4}, 3), integers({tokens, 3}, 3)});
  }
  const RowGradient gradient = gather_row_gradient(records, 3);
  EXPECT_TRUE(gradient.rows.diff().gt(0).all().item<bool>());
  const at::Tensor dense = at::zeros({70000, 3}).index_copy(0, gradient.rows, gradient.values);
  EXPECT_TRUE(dense.equal(dense_gradient_reference(records, 70000, 3)));
}

TEST(CudaEmulation, RowsAreAsWideAsEightThousand) {
  for (int64_t dim : {8192, 8191}) {
    at::manual_seed(5);
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor table = integers({4, dim}, 5).to(dtype), slots = at::randint(4, {2, 5}, at::kLong);
      const at::Tensor weights = integers({2, 5}, 3), grad = integers({2, dim}, 3);
      EXPECT_TRUE(memory_bag(table, slots, weights, nullptr)
                      .equal(memory_bag_reference(table.to(at::kFloat), slots, weights).to(dtype)));
      EXPECT_TRUE(memory_bag_weight_gradient(table, slots, grad)
                      .equal(at::einsum("td,tjd->tj", {grad, at::embedding(table.to(at::kFloat), slots)})));
    }
  }
}

// The suites hold the norm's gradient to a bound; it also has the CPU's bits, with weight rows that change inside a
// block.
TEST(CudaEmulation, TheNormsGradientHasTheBitsOfTheCpu) {
  at::manual_seed(6);
  constexpr int64_t kInner = 3, kGroups = 2, kRows = 50 * kInner * kGroups;
  for (int64_t dim : {5, 64, 83}) {
    const at::Tensor x = at::randn({50, kGroups, kInner, dim}), weight = at::randn({kGroups, 1, dim});
    const at::Tensor grad = at::randn(x.sizes()), leaf = x.clone().requires_grad_(true),
                     scale = weight.clone().requires_grad_(true);
    rms_norm(leaf, scale, 1e-5).backward(grad);
    RmsProblem<float> problem{dim, kInner, kGroups, 1e-5, x.const_data_ptr<float>(), weight.const_data_ptr<float>()};
    at::Tensor y = at::empty(x.sizes()), root = at::empty({kRows}), grad_x = at::empty(x.sizes()),
               total = at::zeros(weight.sizes());
    baseline::kRmsKernel.float32.forward(problem, y.mutable_data_ptr<float>(), root.mutable_data_ptr<float>(), 0,
                                         kRows);
    problem.inverse_root = root.const_data_ptr<float>();
    const int64_t block = rms_block_rows(dim, kGroups);
    for (int64_t first = 0; first < kRows; first += block) {
      at::Tensor part = at::zeros(weight.sizes());
      baseline::kRmsKernel.float32.backward(problem, grad.const_data_ptr<float>(), grad_x.mutable_data_ptr<float>(),
                                            part.mutable_data_ptr<float>(), first, std::min(kRows, first + block));
      total += part;
    }
    EXPECT_TRUE(bit_equal(leaf.grad(), grad_x)) << dim;
    EXPECT_TRUE(bit_equal(scale.grad(), total)) << dim;
  }
}

// A table of more than 2^31 elements, of which three rows are ever touched: the others are never given memory.
TEST(CudaEmulation, RowsLieBeyondTheTwoBillionthElement) {
  const int64_t dim = 4096, num_slots = (int64_t{1} << 32) / dim + 2;
  at::Tensor table;
  try {
    table = at::empty({num_slots, dim}, at::kBFloat16);
  } catch (const std::exception&) {
    GTEST_SKIP() << "8.6 GB of address space are not to be had";
  }
  const std::vector<int64_t> rows = {0, num_slots / 2 + 1, num_slots - 1};
  for (int64_t row : rows) table[row].fill_(double(row % 100 + 1));
  const at::Tensor slots = at::tensor(rows, at::kLong).view({1, 3}),
                   weights = at::tensor({1.0f, 2.0f, 4.0f}).view({1, 3});
  const double expected = 1 + 2.0 * double(rows[1] % 100 + 1) + 4.0 * double(rows[2] % 100 + 1);
  EXPECT_TRUE(
      memory_bag(table, slots, weights, nullptr).eq(at::scalar_tensor(expected).to(at::kBFloat16)).all().item<bool>());
  RowState state;
  const RowUpdateOptions options{.kind = RowOptimizer::kSgd, .weight_decay = 0};
  row_update(table, state, RowGradient{slots[0], at::ones({3, dim})}, 1, {1.0}, options);
  for (int64_t row : rows) EXPECT_TRUE(table[row].eq(double(row % 100)).all().item<bool>()) << row;
}

}  // namespace
}  // namespace memlayers::ops
