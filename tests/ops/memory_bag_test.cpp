#include "ops/memory_bag/memory_bag.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "ops/memory_bag/memory_bag_reference.h"
#include "support/allocations.h"
#include "support/gradcheck.h"
#include "support/ordered_dot.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

struct Bag {
  at::Tensor table, slots, weights;
};

Bag random_bag(uint64_t seed, int64_t num_slots, int64_t tokens, int64_t bag_size, int64_t value_dim) {
  at::manual_seed(seed);
  return {at::randn({num_slots, value_dim}), at::randint(num_slots, {tokens, bag_size}, at::kLong),
          at::randn({tokens, bag_size})};
}

Bag integer_bag(uint64_t seed, int64_t num_slots, int64_t tokens, int64_t bag_size, int64_t value_dim) {
  Bag bag = random_bag(seed, num_slots, tokens, bag_size, value_dim);
  bag.table = at::randint(-8, 9, bag.table.sizes()).to(at::kFloat);
  bag.weights = at::randint(-4, 5, bag.weights.sizes()).to(at::kFloat);
  return bag;
}

at::Tensor forward(const Bag& bag) { return memory_bag(bag.table, bag.slots, bag.weights, nullptr); }

/// The definition in plain loops: a row's contributions in the order of the bag.
at::Tensor definition(const Bag& bag) {
  const int64_t dim = bag.table.size(1), size = bag.slots.size(1);
  at::Tensor output = at::zeros({bag.slots.size(0), dim}, at::kFloat);
  for (int64_t t = 0; t < bag.slots.size(0); ++t) {
    for (int64_t j = 0; j < size; ++j) {
      const float weight = bag.weights.const_data_ptr<float>()[t * size + j];
      const float* row = bag.table.const_data_ptr<float>() + bag.slots.const_data_ptr<int64_t>()[t * size + j] * dim;
      for (int64_t c = 0; c < dim; ++c) output.mutable_data_ptr<float>()[t * dim + c] += weight * row[c];
    }
  }
  return output;
}

TEST(MemoryBag, EqualsTheDefinitionOnEveryWidth) {
  for (int64_t dim : {1, 2, 15, 16, 17, 31, 33, 64, 100, 128, 129, 260}) {
    for (int64_t size : {0, 1, 3, 32}) {
      const Bag bag = random_bag(uint64_t(dim * 100 + size), 40, 21, size, dim);
      EXPECT_TRUE(bit_equal(forward(bag), definition(bag))) << "D " << dim << " M " << size;
    }
  }
}

TEST(MemoryBag, SmallIntegersGiveExactBits) {
  for (int64_t dim : {1, 5, 16, 70, 128}) {
    const Bag bag = integer_bag(uint64_t(dim), 30, 33, 9, dim);
    EXPECT_TRUE(forward(bag).equal(memory_bag_reference(bag.table, bag.slots, bag.weights))) << dim;
    const at::Tensor grad = at::randint(-5, 6, {33, dim}).to(at::kFloat);
    const at::Tensor expected = at::einsum("td,tjd->tj", {grad, at::embedding(bag.table, bag.slots)});
    EXPECT_TRUE(memory_bag_weight_gradient(bag.table, bag.slots, grad).equal(expected)) << dim;
    const Bag narrow{bag.table.to(at::kBFloat16), bag.slots, bag.weights};
    EXPECT_TRUE(forward(narrow).equal(forward(bag).to(at::kBFloat16))) << dim;
    EXPECT_TRUE(memory_bag_weight_gradient(narrow.table, bag.slots, grad).equal(expected)) << dim;
  }
}

TEST(MemoryBag, IsWithinTheBoundOfTheReferenceInDouble) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    const Bag bag = random_bag(seed, 100, 40, 32, 77);
    const at::Tensor table = bag.table.to(at::kDouble), weights = bag.weights.to(at::kDouble);
    const at::Tensor expected = memory_bag_reference(table, bag.slots, weights);
    const at::Tensor bound = tests::sum_bound(memory_bag_reference(table.abs(), bag.slots, weights.abs()), 32);
    EXPECT_TRUE(tests::within(forward(bag), expected, bound));
    EXPECT_TRUE(at::allclose(memory_bag(table, bag.slots, weights, nullptr), expected, 1e-13, 1e-13));

    const at::Tensor grad = at::randn({40, 77});
    const auto products = [&](const at::Tensor& g, const at::Tensor& rows) {
      return at::einsum("td,tjd->tj", {g, at::embedding(rows, bag.slots)});
    };
    const at::Tensor exact = products(grad.to(at::kDouble), table);
    const at::Tensor grad_bound = tests::sum_bound(products(grad.abs().to(at::kDouble), table.abs()), 77);
    EXPECT_TRUE(tests::within(memory_bag_weight_gradient(bag.table, bag.slots, grad), exact, grad_bound));
  }
}

TEST(MemoryBag, ABfloat16TableIsSummedInFloat32AndRoundedOnce) {
  const Bag bag = random_bag(2, 50, 30, 32, 65);
  const Bag narrow{bag.table.to(at::kBFloat16), bag.slots, bag.weights};
  const Bag widened{narrow.table.to(at::kFloat), bag.slots, bag.weights};
  EXPECT_TRUE(bit_equal(forward(narrow), forward(widened).to(at::kBFloat16)));
}

TEST(MemoryBag, RepeatedSlotsAddAndUnreadRowsDoNotMatter) {
  at::Tensor table = at::randn({6, 20});
  const at::Tensor slots = at::full({1, 3}, 2, at::kLong), weights = at::tensor({1.0f, 2.0f, 4.0f}).view({1, 3});
  EXPECT_TRUE(at::allclose(memory_bag(table, slots, weights, nullptr)[0], table[2] * 7));
  at::Tensor spoiled = table.clone();
  spoiled[3].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(bit_equal(memory_bag(spoiled, slots, weights, nullptr), memory_bag(table, slots, weights, nullptr)));
}

TEST(MemoryBag, PermutingRowsAndSlotsTogetherChangesNothing) {
  const Bag bag = random_bag(3, 30, 20, 8, 33);
  const at::Tensor order = at::randperm(30, at::kLong);
  const Bag permuted{bag.table.index_select(0, order), order.argsort().take(bag.slots), bag.weights};
  EXPECT_TRUE(bit_equal(forward(permuted), forward(bag)));
}

TEST(MemoryBag, ATokenDoesNotDependOnItsBatch) {
  const Bag bag = random_bag(4, 30, 20, 8, 33);
  const at::Tensor together = forward(bag);
  for (int64_t t = 0; t < 20; ++t) {
    const at::Tensor alone = memory_bag(bag.table, bag.slots.narrow(0, t, 1), bag.weights.narrow(0, t, 1), nullptr);
    EXPECT_TRUE(bit_equal(alone, together.narrow(0, t, 1)));
  }
}

TEST(MemoryBag, ScalingWeightsByAPowerOfTwoScalesTheSum) {
  const Bag bag = random_bag(5, 30, 20, 8, 33);
  EXPECT_TRUE(bit_equal(memory_bag(bag.table, bag.slots, bag.weights * 4, nullptr), forward(bag) * 4));
}

TEST(MemoryBag, TakesEmptyBagsAndNoTokens) {
  const Bag empty_bags = random_bag(6, 5, 4, 0, 12), no_tokens = random_bag(6, 5, 0, 3, 12);
  EXPECT_TRUE(bit_equal(forward(empty_bags), at::zeros({4, 12})));
  EXPECT_EQ(forward(no_tokens).sizes(), (std::vector<int64_t>{0, 12}));
  EXPECT_EQ(memory_bag_weight_gradient(empty_bags.table, empty_bags.slots, at::randn({4, 12})).numel(), 0);
}

// Backward.

TEST(MemoryBag, WeightGradientEqualsCentralDifferences) {
  at::manual_seed(7);
  const at::Tensor table = at::randn({9, 5}, at::kDouble), slots = at::randint(9, {4, 3}, at::kLong);
  const auto output = [&](const std::vector<at::Tensor>& in) { return memory_bag(table, slots, in[0], nullptr); };
  EXPECT_LT(tests::gradient_error(output, {at::randn({4, 3}, at::kDouble)}), tests::kGradcheck);
}

/// The gradients over equal slices of the columns, added as their holders would.
at::Tensor gradient_of_slices(const Bag& bag, const at::Tensor& grad, int64_t slices) {
  const int64_t width = grad.size(1) / slices;
  BlockTree<at::Tensor> tree;
  for (int64_t c = 0; c < grad.size(1); c += width) {
    const at::Tensor columns = bag.table.narrow(1, c, width).contiguous();
    tree.add(memory_bag_weight_gradient(columns, bag.slots, grad.narrow(1, c, width)));
  }
  return tree.total();
}

TEST(MemoryBag, WeightGradientsOfColumnSlicesAddUpToTheBitsOfTheWhole) {
  for (int64_t dim : {128, 384, 640, 1024}) {
    Bag bag = random_bag(uint64_t(dim), 40, 9, 7, dim);
    const at::Tensor grad = at::randn({9, dim});
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
      bag.table = bag.table.to(dtype);
      const at::Tensor whole = memory_bag_weight_gradient(bag.table, bag.slots, grad);
      for (int64_t slices : {2, 4, 8}) {
        EXPECT_TRUE(bit_equal(gradient_of_slices(bag, grad, slices), whole)) << "D " << dim << " / " << slices;
      }
    }
  }
}

TEST(MemoryBag, WeightGradientEqualsItsDefinedOrderOnEveryWidth) {
  for (int64_t dim : {1, 15, 16, 17, 32, 48, 64, 96, 100, 256, 1040}) {
    const Bag bag = random_bag(uint64_t(dim), 20, 3, 6, dim);
    const at::Tensor grad = at::randn({3, dim}), actual = memory_bag_weight_gradient(bag.table, bag.slots, grad);
    for (int64_t e = 0; e < bag.slots.numel(); ++e) {
      const float* row = bag.table.const_data_ptr<float>() + bag.slots.const_data_ptr<int64_t>()[e] * dim;
      const float* left = grad.const_data_ptr<float>() + e / 6 * dim;
      EXPECT_EQ(actual.const_data_ptr<float>()[e], tests::ordered_dot(left, row, dim)) << "D " << dim;
    }
  }
}

TEST(MemoryBag, BackwardLeavesARecordAndNoTableGradient) {
  Bag bag = random_bag(8, 1000, 6, 4, 16);
  bag.table.requires_grad_(true);
  bag.weights.requires_grad_(true);
  auto records = std::make_shared<BagRecords>();
  const at::Tensor output = memory_bag(bag.table, bag.slots, bag.weights, records);
  EXPECT_TRUE(records->empty());
  const at::Tensor grad = at::randn({6, 16});
  output.backward(grad);
  EXPECT_FALSE(bag.table.grad().defined());
  ASSERT_EQ(records->size(), 1u);
  EXPECT_TRUE(bit_equal(records->front().slots, bag.slots));
  EXPECT_TRUE(bit_equal(records->front().weights, bag.weights));
  EXPECT_TRUE(bit_equal(records->front().grad_output, grad));
  EXPECT_FALSE(records->front().weights.requires_grad() || records->front().grad_output.requires_grad());
  EXPECT_TRUE(bit_equal(bag.weights.grad(), memory_bag_weight_gradient(bag.table.detach(), bag.slots, grad)));
}

TEST(MemoryBag, RecordsComeInTheOrderOfBackwardAndAlsoForConstantWeights) {
  const Bag bag = random_bag(9, 10, 3, 2, 4);
  auto records = std::make_shared<BagRecords>();
  for (double factor : {1.0, 2.0}) {
    const at::Tensor output = memory_bag(bag.table, bag.slots, bag.weights, records);
    EXPECT_TRUE(output.requires_grad());
    (output * factor).sum().backward();
  }
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[1].grad_output[0][0].item<double>(), 2.0);
  EXPECT_FALSE(bag.weights.grad().defined());
}

TEST(MemoryBag, WithoutGradModeNothingIsRecorded) {
  const at::NoGradGuard no_grad;
  const Bag bag = random_bag(10, 10, 3, 2, 4);
  const auto records = std::make_shared<BagRecords>();
  EXPECT_FALSE(memory_bag(bag.table, bag.slots, bag.weights, records).requires_grad());
}

TEST(MemoryBag, ARecordOfABfloat16TableIsFloat32) {
  const Bag bag = random_bag(11, 10, 3, 2, 4);
  const auto records = std::make_shared<BagRecords>();
  memory_bag(bag.table.to(at::kBFloat16), bag.slots, bag.weights, records).sum().backward();
  EXPECT_EQ(records->front().grad_output.scalar_type(), at::kFloat);
}

TEST(MemoryBag, NothingOfTheTablesSizeIsAllocated) {
  Bag bag = random_bag(12, 20000, 4, 4, 8);
  bag.weights.requires_grad_(true);
  const auto records = std::make_shared<BagRecords>();
  const tests::AllocationWatch watch;
  memory_bag(bag.table, bag.slots, bag.weights, records).sum().backward();
  EXPECT_GT(watch.largest_bytes(), 0u);
  EXPECT_LT(watch.largest_bytes(), size_t{20000});  // bytes; the table has 640,000
}

TEST(MemoryBag, ResultsDoNotDependOnThreads) {
  const Bag bag = random_bag(13, 100, 150, 32, 129);
  const at::Tensor grad = at::randn({150, 129});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor output = forward(bag), gradient = memory_bag_weight_gradient(bag.table, bag.slots, grad);
  at::set_num_threads(2);
  EXPECT_TRUE(bit_equal(forward(bag), output));
  EXPECT_TRUE(bit_equal(memory_bag_weight_gradient(bag.table, bag.slots, grad), gradient));
  at::set_num_threads(before);
}

// Misuse.

std::string usage_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(MemoryBag, MisuseIsToldInOneSentence) {
  const Bag bag = random_bag(14, 10, 3, 2, 4);
  const auto message = [](const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
    return usage_error([&] { memory_bag(table, slots, weights, nullptr); });
  };
  at::Tensor outside = bag.slots.clone();
  outside[1][1] = 10;
  EXPECT_EQ(message(bag.table, outside, bag.weights),
            "memory_bag: slot 10 is outside the table, expected 0 <= slot < 10");
  outside[1][1] = -1;
  EXPECT_EQ(message(bag.table, outside, bag.weights),
            "memory_bag: slot -1 is outside the table, expected 0 <= slot < 10");
  EXPECT_NE(message(bag.table.narrow(0, 0, 0), bag.slots, bag.weights).find("outside the table"), std::string::npos);
  EXPECT_NE(message(bag.table[0], bag.slots, bag.weights).find("table must be"), std::string::npos);
  EXPECT_NE(message(bag.table.t(), bag.slots, bag.weights).find("contiguous"), std::string::npos);
  EXPECT_NE(message(bag.table, bag.slots.to(at::kInt), bag.weights).find("slots must be [N, M] int64"),
            std::string::npos);
  EXPECT_NE(message(bag.table, bag.slots, bag.weights.t()).find("shape of slots"), std::string::npos);
  EXPECT_NE(message(bag.table, bag.slots, bag.weights.to(at::kDouble)).find("weights must be Float"),
            std::string::npos);
  EXPECT_NE(usage_error([&] {
              memory_bag_weight_gradient(bag.table, bag.slots, at::randn({3, 5}));
            }).find("grad_output must be [3, 4]"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
