#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "ops/column_blocks.h"
#include "ops/memory_bag/memory_bag.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/quantized_bag/quantized_rows_reference.h"
#include "support/seeds.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;
using tests::usage_error;

struct QuantizedBag {
  QuantizedRows table;
  at::Tensor slots, weights;
};

QuantizedBag random_bag(uint64_t seed, int64_t num_slots, int64_t tokens, int64_t bag_size, int64_t value_dim,
                        int64_t bits) {
  at::manual_seed(seed);
  return {quantize_rows(at::randn({num_slots, value_dim}) * 3, bits),
          at::randint(num_slots, {tokens, bag_size}, at::kLong), at::randn({tokens, bag_size})};
}

/// The codes themselves, as float32.
at::Tensor codes_of(const QuantizedRows& table) {
  return dequantize_rows({table.codes, at::ones_like(table.scales), table.value_dim});
}

at::Tensor forward(const QuantizedBag& bag) { return memory_bag(bag.table, bag.slots, bag.weights); }

/// The definition in plain loops: a row's contributions in the order of the bag.
at::Tensor definition(const QuantizedBag& bag) {
  const int64_t dim = bag.table.value_dim, size = bag.slots.size(1);
  const at::Tensor codes = codes_of(bag.table), output = at::zeros({bag.slots.size(0), dim}, at::kFloat);
  for (int64_t t = 0; t < bag.slots.size(0); ++t) {
    for (int64_t j = 0; j < size; ++j) {
      const int64_t slot = bag.slots.const_data_ptr<int64_t>()[t * size + j];
      const float weight =
          bag.weights.const_data_ptr<float>()[t * size + j] * bag.table.scales.const_data_ptr<float>()[slot];
      const float* row = codes.const_data_ptr<float>() + slot * dim;
      for (int64_t c = 0; c < dim; ++c) output.mutable_data_ptr<float>()[t * dim + c] += weight * row[c];
    }
  }
  return output;
}

// Quantizing.

TEST(QuantizeRows, RoundsQuotientsToNearestEven) {
  for (int64_t bits : {8, 4}) {
    for (int64_t dim : {1, 15, 16, 17, 31, 32, 33, 64, 100}) {
      at::manual_seed(uint64_t(dim));
      const at::Tensor table = at::randn({150, dim});
      EXPECT_TRUE(bit_equal(dequantize_rows(quantize_rows(table, bits)), quantized_values_reference(table, bits)))
          << bits << " bits, D " << dim;
    }
  }
  const at::Tensor ties = at::tensor({127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f}).view({1, 7});
  EXPECT_TRUE(
      codes_of(quantize_rows(ties, 8)).equal(at::tensor({127.0f, 0.0f, 2.0f, 2.0f, 0.0f, -2.0f, 126.0f}).view({1, 7})));
}

TEST(QuantizeRows, IsOffByAtMostHalfAScale) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    for (int64_t bits : {8, 4}) {
      const double largest_code = bits == 8 ? 127 : 7;
      const at::Tensor table = at::randn({200, 77}) * at::randn({200, 1}).exp();
      const at::Tensor error = (dequantize_rows(quantize_rows(table, bits)).to(at::kDouble) - table).abs().amax(1);
      const at::Tensor largest = table.abs().amax(1).to(at::kDouble);
      // Half a scale, and three roundings of up to largest_code scales: of scale, quotient and product.
      const double rounding = 3 * largest_code * std::numeric_limits<float>::epsilon() / 2;
      EXPECT_TRUE((error <= largest / largest_code * (0.5 + rounding)).all().item<bool>()) << bits;
    }
  }
}

TEST(QuantizeRows, WhatItGivesQuantizesToItself) {
  at::manual_seed(3);
  for (int64_t bits : {8, 4}) {
    const QuantizedRows once = quantize_rows(at::randn({50, 45}), bits);
    const QuantizedRows twice = quantize_rows(dequantize_rows(once), bits);
    EXPECT_TRUE(bit_equal(twice.codes, once.codes));
    EXPECT_TRUE(at::allclose(twice.scales, once.scales, 1e-6));
  }
}

TEST(QuantizeRows, FourBitsAreTwoCodesAByteFilledUpWithZeros) {
  const QuantizedRows rows = quantize_rows(at::arange(-7, 8, at::kFloat).repeat({1, 3}).view({1, 45}), 4);
  ASSERT_EQ(rows.codes.sizes(), (std::vector<int64_t>{1, 32}));
  const uint8_t* byte = rows.codes.const_data_ptr<uint8_t>();
  EXPECT_EQ(byte[0], (-7 & 15) | (-6 & 15) << 4);  // columns 0 and 16
  EXPECT_EQ(byte[16], (-5 & 15));                  // columns 32 and 48
  EXPECT_EQ(byte[31], 0);                          // columns 47 and 63
}

TEST(QuantizeRows, ZerosHaveScaleZero) {
  at::Tensor table = at::randn({3, 20});
  table[1].zero_();
  for (int64_t bits : {8, 4}) {
    const QuantizedRows rows = quantize_rows(table, bits);
    EXPECT_EQ(rows.scales[1].item<float>(), 0);
    EXPECT_TRUE(dequantize_rows(rows)[1].eq(0).all().item<bool>());
  }
}

TEST(QuantizeRows, TakesBfloat16AndEmptyTables) {
  const at::Tensor narrow = at::randn({5, 20}).to(at::kBFloat16);
  EXPECT_TRUE(bit_equal(quantize_rows(narrow, 8).codes, quantize_rows(narrow.to(at::kFloat), 8).codes));
  EXPECT_EQ(dequantize_rows(quantize_rows(at::empty({0, 9}), 4)).sizes(), (std::vector<int64_t>{0, 9}));
  EXPECT_EQ(dequantize_rows(quantize_rows(at::empty({3, 0}), 4)).sizes(), (std::vector<int64_t>{3, 0}));
}

// The bag.

TEST(QuantizedBag, EqualsTheDefinitionOnEveryWidth) {
  for (int64_t bits : {8, 4}) {
    for (int64_t dim : {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 64, 100, 128, 129, 260}) {
      for (int64_t size : {0, 1, 3, 32}) {
        const QuantizedBag bag = random_bag(uint64_t(dim * 100 + size), 40, 21, size, dim, bits);
        EXPECT_TRUE(bit_equal(forward(bag), definition(bag))) << bits << " bits, D " << dim << " M " << size;
      }
    }
  }
}

TEST(QuantizedBag, SmallIntegersGiveExactBits) {
  for (int64_t bits : {8, 4}) {
    for (int64_t dim : {1, 5, 16, 70, 128, 192}) {
      QuantizedBag bag = random_bag(uint64_t(dim), 30, 33, 9, dim, bits);
      bag.table.scales = at::randint(-3, 4, {30}).to(at::kFloat);
      bag.weights = at::randint(-4, 5, {33, 9}).to(at::kFloat);
      EXPECT_TRUE(forward(bag).equal(quantized_bag_reference(bag.table, bag.slots, bag.weights).to(at::kFloat)));
      const at::Tensor grad = at::randint(-5, 6, {33, dim}).to(at::kFloat);
      const at::Tensor expected =
          at::einsum("td,tjd->tj", {grad, at::embedding(dequantize_rows(bag.table), bag.slots)});
      EXPECT_TRUE(memory_bag_weight_gradient(bag.table, bag.slots, grad).equal(expected)) << bits << " " << dim;
    }
  }
}

TEST(QuantizedBag, IsWithinTheBoundOfTheReferenceInDouble) {
  for (int64_t bits : {8, 4}) {
    const QuantizedBag bag = random_bag(2, 100, 40, 32, 77, bits);
    const at::Tensor expected = quantized_bag_reference(bag.table, bag.slots, bag.weights);
    const QuantizedRows magnitudes = quantize_rows(dequantize_rows(bag.table).abs(), bits);
    // One rounding more than a bag of numbers has: of weight times scale.
    const at::Tensor bound = tests::sum_bound(quantized_bag_reference(magnitudes, bag.slots, bag.weights.abs()), 33);
    EXPECT_TRUE(tests::within(forward(bag), expected, bound));
  }
}

TEST(QuantizedBag, HasTheWeightGradientOfABagOfItsCodes) {
  for (int64_t bits : {8, 4}) {
    for (int64_t dim : {16, 33, 64, 80, 128}) {
      const QuantizedBag bag = random_bag(4, 30, 20, 7, dim, bits);
      const at::Tensor grad = at::randn({20, dim});
      const at::Tensor products = memory_bag_weight_gradient(codes_of(bag.table), bag.slots, grad);
      EXPECT_TRUE(bit_equal(memory_bag_weight_gradient(bag.table, bag.slots, grad),
                            products * bag.table.scales.take(bag.slots)))
          << bits << " " << dim;
    }
  }
}

TEST(QuantizedBag, WeightGradientsAreThoseOfTheDequantizedTable) {
  for (int64_t bits : {8, 4}) {
    QuantizedBag bag = random_bag(5, 20, 6, 4, 33, bits);
    bag.weights.requires_grad_(true);
    const at::Tensor grad = at::randn({6, 33}), table = dequantize_rows(bag.table);
    forward(bag).backward(grad);
    EXPECT_TRUE(bit_equal(bag.weights.grad(), memory_bag_weight_gradient(bag.table, bag.slots, grad)));
    const auto products = [&](const at::Tensor& g, const at::Tensor& rows) {
      return at::einsum("td,tjd->tj", {g.to(at::kDouble), at::embedding(rows.to(at::kDouble), bag.slots)});
    };
    // 33 products, the rounding of a value when it is dequantized, and of scale times sum.
    const at::Tensor bound = tests::sum_bound(products(grad.abs(), table.abs()), 35);
    EXPECT_TRUE(tests::within(bag.weights.grad(), products(grad, table), bound));
  }
}

TEST(QuantizedBag, ColumnSlicesOfEightBitsAddUpToTheBitsOfTheWhole) {
  const QuantizedBag bag = random_bag(6, 30, 9, 7, 256, 8);
  const at::Tensor grad = at::randn({9, 256}), ones = at::ones_like(bag.table.scales);
  BlockTree<at::Tensor> tree;
  for (int64_t c = 0; c < 256; c += 64) {
    const QuantizedRows columns{bag.table.codes.narrow(1, c, 64).contiguous(), ones, 64};
    tree.add(memory_bag_weight_gradient(columns, bag.slots, grad.narrow(1, c, 64)));
  }
  const QuantizedRows whole{bag.table.codes, ones, 256};
  EXPECT_TRUE(bit_equal(tree.total(), memory_bag_weight_gradient(whole, bag.slots, grad)));
}

TEST(QuantizedBag, ScalingByAPowerOfTwoScalesTheSum) {
  QuantizedBag bag = random_bag(7, 30, 20, 8, 33, 4);
  const at::Tensor before = forward(bag);
  bag.table.scales = bag.table.scales * 4;
  EXPECT_TRUE(bit_equal(forward(bag), before * 4));
}

TEST(QuantizedBag, UnreadRowsDoNotMatterAndRepeatedSlotsAdd) {
  QuantizedBag bag = random_bag(8, 6, 1, 3, 40, 4);
  bag.slots.fill_(2);
  bag.weights = at::tensor({1.0f, 2.0f, 4.0f}).view({1, 3});
  bag.table.scales[3].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(at::allclose(forward(bag)[0], dequantize_rows(bag.table)[2] * 7));
}

TEST(QuantizedBag, TakesEmptyBagsAndNoTokens) {
  for (int64_t bits : {8, 4}) {
    const QuantizedBag empty_bags = random_bag(9, 5, 4, 0, 12, bits), no_tokens = random_bag(9, 5, 0, 3, 12, bits);
    EXPECT_TRUE(bit_equal(forward(empty_bags), at::zeros({4, 12})));
    EXPECT_EQ(forward(no_tokens).sizes(), (std::vector<int64_t>{0, 12}));
    EXPECT_EQ(memory_bag_weight_gradient(empty_bags.table, empty_bags.slots, at::randn({4, 12})).numel(), 0);
  }
}

TEST(QuantizedBag, ResultsDoNotDependOnThreads) {
  for (int64_t bits : {8, 4}) {
    const QuantizedBag bag = random_bag(10, 100, 150, 32, 129, bits);
    const at::Tensor table = at::randn({300, 129}), grad = at::randn({150, 129});
    const int before = at::get_num_threads();
    at::set_num_threads(1);
    const at::Tensor output = forward(bag), gradient = memory_bag_weight_gradient(bag.table, bag.slots, grad);
    const QuantizedRows rows = quantize_rows(table, bits);
    at::set_num_threads(2);
    EXPECT_TRUE(bit_equal(forward(bag), output));
    EXPECT_TRUE(bit_equal(memory_bag_weight_gradient(bag.table, bag.slots, grad), gradient));
    EXPECT_TRUE(bit_equal(quantize_rows(table, bits).codes, rows.codes));
    at::set_num_threads(before);
  }
}

// Misuse.

TEST(QuantizedBag, MisuseIsToldInOneSentence) {
  const auto contains = [](const std::function<void()>& call, const char* part) {
    const std::string text = usage_error(call);
    return text.find(part) != std::string::npos ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << text;
  };
  at::Tensor table = at::randn({200, 20});
  EXPECT_TRUE(contains([&] { quantize_rows(table, 3); }, "bits must be 8 or 4, got 3"));
  EXPECT_TRUE(contains([&] { quantize_rows(table[0], 8); }, "table must be [S, D] float32 or bfloat16"));
  table[150][3] = std::numeric_limits<float>::infinity();
  table[70][5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(contains([&] { quantize_rows(table, 8); }, "row 70 is not finite"));

  const QuantizedBag bag = random_bag(11, 10, 3, 2, 20, 4);
  at::Tensor outside = bag.slots.clone();
  outside[1][1] = 10;
  EXPECT_EQ(usage_error([&] { memory_bag(bag.table, outside, bag.weights); }),
            "memory_bag: slot 10 is outside the table, expected 0 <= slot < 10");
  QuantizedRows wrong = bag.table;
  wrong.value_dim = 33;
  EXPECT_TRUE(contains([&] { memory_bag(wrong, bag.slots, bag.weights); }, "a row of 33 columns is 32 bytes"));
  wrong = bag.table;
  wrong.scales = wrong.scales.narrow(0, 0, 9);
  EXPECT_TRUE(contains([&] { dequantize_rows(wrong); }, "scales must be [10] float32"));
  wrong.codes = wrong.codes.to(at::kInt);
  EXPECT_TRUE(contains([&] { memory_bag(wrong, bag.slots, bag.weights); }, "codes must be contiguous rows of int8"));
  EXPECT_TRUE(contains([&] { memory_bag(bag.table, bag.slots, bag.weights.t()); }, "shape of slots"));
  EXPECT_TRUE(
      contains([&] { memory_bag(bag.table, bag.slots.to(at::kInt), bag.weights); }, "slots must be [N, M] int64"));
  EXPECT_TRUE(contains(
      [&] {
        memory_bag_weight_gradient(bag.table, bag.slots, at::randn({3, 5}));
      },
      "grad_output must be [3, 20]"));
}

}  // namespace
}  // namespace memlayers::ops
