#include "profiling/op_times.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ops/memory_bag/memory_bag.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/row_update/row_update.h"

namespace memlayers::profiling {
namespace {

template <class Call>
std::map<std::string, OpTime> times_of(const Call& call) {
  const OpTimes times;
  call();
  return times.ops();
}

/// What the only call of `name` must have done at the least.
template <class Call>
OpWork work_of(const std::string& name, const Call& call) {
  const auto ops = times_of(call);
  const auto found = ops.find(name);
  if (found == ops.end()) throw std::runtime_error(name + " was not called");
  if (found->second.calls.size() != 1) throw std::runtime_error(name + " was not counted once");
  return found->second.calls[0];
}

TEST(OpWork, OfAProductIsItsMultiplicationsAndMatrices) {
  const at::Tensor a = at::ones({3, 5}), b = at::ones({5, 7}), bias = at::ones({7});
  const OpWork work = work_of("aten::mm", [&] { at::mm(a, b); });
  EXPECT_EQ(work.flops, 2 * 3 * 5 * 7);
  EXPECT_EQ(work.narrow_flops, 0);
  EXPECT_EQ(work.read_bytes, 4 * (15 + 35));
  EXPECT_EQ(work.written_bytes, 4 * 21);
  EXPECT_EQ(work_of("aten::addmm", [&] { at::addmm(bias, a, b); }).read_bytes, 4 * (7 + 15 + 35));
  at::Tensor out = at::empty({3, 7});
  EXPECT_EQ(work_of("aten::mm", [&] { at::mm_out(out, a, b); }).written_bytes, 4 * 21);
  const at::Tensor batch = at::ones({2, 3, 5});
  EXPECT_EQ(work_of("aten::bmm", [&] { at::bmm(batch, at::ones({2, 5, 7})); }).flops, 2 * 2 * 3 * 5 * 7);
}

TEST(OpWork, CountsSixteenBitsApart) {
  const at::Tensor a = at::ones({3, 5}, at::kBFloat16), b = at::ones({5, 7}, at::kBFloat16);
  const OpWork work = work_of("aten::mm", [&] { at::mm(a, b); });
  EXPECT_EQ(work.flops, 0);
  EXPECT_EQ(work.narrow_flops, 2 * 3 * 5 * 7);
  EXPECT_EQ(work.read_bytes, 2 * (15 + 35));
}

TEST(OpWork, OfAttentionIsHalfWhereItIsCausal) {
  const at::Tensor x = at::randn({2, 3, 8, 4});
  const auto attend = [&](bool causal) {
    return work_of("aten::_scaled_dot_product_flash_attention_for_cpu",
                   [&] { at::scaled_dot_product_attention(x, x, x, {}, 0.0, causal); });
  };
  EXPECT_EQ(attend(false).flops, 2 * 2 * (2 * 3 * 8 * 4) * 8);
  EXPECT_EQ(attend(true).flops, 2 * (2 * 3 * 8 * 4) * 8);
  const at::Tensor learned = x.clone().requires_grad_(true);
  const at::Tensor out = at::scaled_dot_product_attention(learned, learned, learned, {}, 0.0, true);
  EXPECT_EQ(work_of("aten::_scaled_dot_product_flash_attention_for_cpu_backward", [&] { out.sum().backward(); }).flops,
            2 * attend(true).flops);
}

TEST(OpWork, OfABagIsARowForEverySlot) {
  const at::Tensor table = at::ones({50, 16}), slots = at::zeros({6, 4}, at::kLong), weights = at::ones({6, 4});
  const OpWork work = work_of("memlayers::memory_bag", [&] { ops::memory_bag(table, slots, weights, nullptr); });
  EXPECT_EQ(work.gathered_bytes, 6 * 4 * 16 * 4);
  EXPECT_EQ(work.flops, 2 * 6 * 4 * 16);
  EXPECT_EQ(work.read_bytes, 6 * 4 * (8 + 4));
  EXPECT_EQ(work.written_bytes, 6 * 16 * 4);
  const OpWork gradient = work_of("memlayers::memory_bag_weight_gradient", [&] {
    ops::memory_bag_weight_gradient(table, slots, at::ones({6, 16}));
  });
  EXPECT_EQ(gradient.gathered_bytes, work.gathered_bytes);
  EXPECT_EQ(gradient.read_bytes, 6 * 4 * 8 + 6 * 16 * 4);
}

TEST(OpWork, OfABagOfQuantizedRowsIsItsCodesAndScales) {
  const ops::QuantizedRows table = ops::quantize_rows(at::ones({50, 40}), 4);  // rows of 32 bytes
  const at::Tensor slots = at::zeros({6, 4}, at::kLong), weights = at::ones({6, 4});
  const OpWork work = work_of("memlayers::quantized_bag", [&] { ops::memory_bag(table, slots, weights); });
  EXPECT_EQ(work.gathered_bytes, 6 * 4 * (32 + 4));
  EXPECT_EQ(work.flops, 2 * 6 * 4 * 40);
  EXPECT_EQ(work.read_bytes, 6 * 4 * (8 + 4));
  EXPECT_EQ(work.written_bytes, 6 * 40 * 4);
}

TEST(OpWork, OfSelectionIsADotProductWithEverySubKey) {
  const at::Tensor query = at::randn({6, 2, 8}).requires_grad_(true), keys = at::randn({2, 2, 10, 4});
  at::Tensor scores;
  const OpWork work =
      work_of("memlayers::product_key_topk", [&] { scores = ops::product_key_topk(query, keys, 3).scores; });
  EXPECT_EQ(work.flops, 2 * (6 * 2 * 8) * 10);  // counted once, though autograd dispatches it again below itself
  const auto back = [&] { scores.sum().backward(); };
  EXPECT_EQ(work_of("memlayers::product_key_topk_backward", back).flops, 2 * (6 * 2 * 3) * 8);  // queries only
}

TEST(OpWork, OfARowUpdateIsTheTouchedRowsAndTheirMoments) {
  at::Tensor table = at::zeros({50, 16});
  const ops::BagRecords records = {{at::arange(6, at::kLong).view({3, 2}), at::ones({3, 2}), at::ones({3, 16})}};
  const ops::TouchedRows touched = ops::sort_records(records, 16);
  ops::RowState state = ops::make_row_state(table, ops::RowOptimizer::kExact);
  at::Tensor buffer;
  ops::RowGradient gradient;
  const OpWork sums = work_of("memlayers::sum_touched_rows", [&] { gradient = ops::sum_rows(touched, buffer); });
  EXPECT_EQ(sums.flops, 2 * 6 * 16);
  EXPECT_EQ(sums.read_bytes, 8 * (7 + 6) + 4 * (6 + 3 * 16));
  EXPECT_EQ(sums.written_bytes, 4 * 6 * 16);
  const OpWork work = work_of("memlayers::row_update",
                              [&] { ops::row_update(table, state, gradient, 1, {1e-3}, ops::RowUpdateOptions()); });
  const double rows = 6 * (3 * 16 * 4 + 4);  // weights, two moments, the last step
  EXPECT_EQ(work.written_bytes, rows);
  EXPECT_EQ(work.read_bytes, rows + 8 * 6 + 4 * 6 * 16);
  const OpWork norm = work_of("memlayers::row_squared_norm", [&] { ops::squared_norm(gradient); });
  EXPECT_EQ(norm.flops, 2 * 6 * 16);
}

TEST(OpWork, OfABroadcastTensorIsWhatItWasBroadcastFrom) {
  const at::Tensor row = at::ones({1, 8});
  const OpWork work = work_of("aten::add", [&] { at::add(at::ones({4, 8}), row.expand({4, 8})); });
  EXPECT_EQ(work.read_bytes, 4 * (32 + 8));
  EXPECT_EQ(work.written_bytes, 4 * 32);
}

TEST(OpWork, OfACopyDoesNotReadItsTarget) {
  const at::Tensor target = at::zeros({8}), source = at::ones({8}, at::kDouble);
  const OpWork work = work_of("aten::copy_", [&] { target.copy_(source); });
  EXPECT_EQ(work.read_bytes, 64);
  EXPECT_EQ(work.written_bytes, 32);
}

TEST(OpTimes, ListUnknownOperationsWithoutALimit) {
  const auto ops = times_of([] { at::tanh(at::ones({4})); });
  ASSERT_EQ(ops.count("aten::tanh"), 1u);
  EXPECT_STREQ(ops.at("aten::tanh").rule->group, "everything else");
  EXPECT_TRUE(ops.at("aten::tanh").calls.empty());
}

TEST(OpTimes, CallNodesOfTheBackwardGraphBookkeeping) {
  const at::Tensor x = at::ones({4}).requires_grad_(true);
  const at::Tensor y = (x * x).sum();
  const auto ops = times_of([&] { y.backward(); });
  ASSERT_EQ(ops.count("autograd engine"), 1u);
  EXPECT_STREQ(ops.at("autograd engine").rule->group, kBookkeeping);
  for (const auto& [name, op] : ops) EXPECT_EQ(name.find("Backward"), std::string::npos) << name;
}

TEST(OpTimes, CountAnOperationsPartsAsItsOwn) {
  const at::Tensor table = at::ones({50, 16}), weights = at::ones({6, 4});
  const at::Tensor slots = at::zeros({4, 6}, at::kLong).t();  // copied inside
  const auto ops = times_of([&] { ops::memory_bag(table, slots, weights, nullptr); });
  EXPECT_EQ(ops.count("aten::copy_"), 0u);
  EXPECT_EQ(ops.count("memlayers::memory_bag"), 1u);
}

}  // namespace
}  // namespace memlayers::profiling
