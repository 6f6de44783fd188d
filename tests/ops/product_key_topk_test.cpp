#include "ops/product_key_topk/product_key_topk.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/product_key_topk/product_key_topk_reference.h"
#include "support/allocations.h"
#include "support/gradcheck.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The op among its overloads, to be passed on.
constexpr auto kTopK = [](const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  return product_key_topk(query, sub_keys, k);
};

/// Product and sum rounded once where the kernel's instruction set has that, else twice.
float multiply_add(float a, float b, float sum) {
  return base::isa() == base::Isa::kBaseline ? a * b + sum : std::fma(a, b, sum);
}

/// The definition: every one of the n * n scores, sorted. Dot products are summed in the order of the dimensions.
TopK brute_force(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  const int64_t tokens = query.size(0), heads = sub_keys.size(0), n = sub_keys.size(2), dim = sub_keys.size(3);
  const at::Tensor q = query.to(at::kFloat).contiguous(), keys = sub_keys.to(at::kFloat).contiguous();
  const TopK result{at::empty({tokens, heads, k}, at::kFloat), at::empty({tokens, heads, k}, at::kLong)};
  std::vector<float> scores(static_cast<size_t>(n * n));
  std::vector<int64_t> order(scores.size());
  for (int64_t r = 0; r < tokens * heads; ++r) {
    std::vector<float> half(static_cast<size_t>(2 * n));
    for (int64_t i = 0; i < 2 * n; ++i) {
      const float* a = q.const_data_ptr<float>() + (r * 2 + i / n) * dim;
      const float* b = keys.const_data_ptr<float>() + (r % heads * 2 * n + i) * dim;
      for (int64_t d = 0; d < dim; ++d) half[i] = multiply_add(a[d], b[d], half[i]);
    }
    for (int64_t slot = 0; slot < n * n; ++slot) {
      scores[slot] = half[slot / n] + half[n + slot % n];
      // Infinite parts: a half that is NaN is minus infinity, whatever is added.
      if (std::isnan(scores[slot])) scores[slot] = -kInfinity;
    }
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    for (int64_t j = 0; j < k; ++j) {
      result.slots.mutable_data_ptr<int64_t>()[r * k + j] = order[j];
      result.scores.mutable_data_ptr<float>()[r * k + j] = scores[order[j]];
    }
  }
  return result;
}

::testing::AssertionResult same(const TopK& actual, const TopK& expected) {
  if (auto slots = bit_equal(actual.slots, expected.slots); !slots) return slots << " (slots)";
  return bit_equal(actual.scores, expected.scores) << " (scores)";
}

/// Half scores given directly: with one dimension a half and a query of ones, a sub-key is its score.
TopK topk_of_half_scores(const std::vector<float>& first, const std::vector<float>& second, int64_t k, TopK& expected) {
  const auto n = static_cast<int64_t>(first.size());
  at::Tensor keys = at::empty({1, 2, n, 1}, at::kFloat);
  std::copy(first.begin(), first.end(), keys.mutable_data_ptr<float>());
  std::copy(second.begin(), second.end(), keys.mutable_data_ptr<float>() + n);
  const at::Tensor query = at::ones({1, 1, 2});
  expected = brute_force(query, keys, k);
  return product_key_topk(query, keys, k);
}

struct Inputs {
  at::Tensor query, sub_keys;
};

Inputs random_inputs(uint64_t seed, int64_t tokens, int64_t heads, int64_t key_dim, int64_t n) {
  at::manual_seed(seed);
  return {at::randn({tokens, heads, key_dim}), at::randn({heads, 2, n, key_dim / 2})};
}

Inputs integer_inputs(uint64_t seed, int64_t tokens, int64_t heads, int64_t key_dim, int64_t n, int64_t largest = 2) {
  at::manual_seed(seed);
  return {at::randint(-largest, largest + 1, {tokens, heads, key_dim}).to(at::kFloat),
          at::randint(-largest, largest + 1, {heads, 2, n, key_dim / 2}).to(at::kFloat)};
}

TEST(ProductKeyTopK, EqualsTheDefinitionOnEverySize) {
  for (int64_t n : {1, 2, 3, 7, 16, 31, 33, 50}) {
    for (int64_t key_dim : {2, 6, 34}) {
      for (int64_t k : {1, 2, 5, 8, 32, 64, 65, 100}) {
        if (k > n * n) continue;
        const auto [query, keys] = random_inputs(uint64_t(n * 1000 + k), 19, 3, key_dim, n);
        EXPECT_TRUE(same(product_key_topk(query, keys, k), brute_force(query, keys, k)))
            << "n " << n << " K " << key_dim << " k " << k;
      }
    }
  }
}

TEST(ProductKeyTopK, EqualsTheDefinitionAcrossBlocksOfTokensAndPanels) {
  for (int64_t tokens : {1, 4, 11, 130}) {
    for (int64_t k : {8, 32, 48}) {
      const auto [query, keys] = random_inputs(uint64_t(tokens + k), tokens, 1, 12, 130);
      EXPECT_TRUE(same(product_key_topk(query, keys, k), brute_force(query, keys, k))) << tokens << " tokens, k " << k;
    }
  }
}

TEST(ProductKeyTopK, PackedSubKeysGiveTheSameBits) {
  for (auto dtype : {at::kFloat, at::kDouble}) {
    const auto [query, keys] = random_inputs(4, 9, 3, 10, 40);
    const PackedSubKeys packed = pack_sub_keys(keys.to(dtype));
    EXPECT_TRUE(
        same(product_key_topk(query.to(dtype), packed, 16), product_key_topk(query.to(dtype), keys.to(dtype), 16)));
  }
  const auto [query, keys] = random_inputs(4, 9, 3, 10, 40);
  EXPECT_THROW(product_key_topk(query.to(at::kDouble), pack_sub_keys(keys), 4), base::UsageError);
  EXPECT_THROW(product_key_topk(query.narrow(1, 0, 2), pack_sub_keys(keys), 4), base::UsageError);
  EXPECT_THROW(product_key_topk(query, pack_sub_keys(keys), 1601), base::UsageError);
}

TEST(ProductKeyTopK, ReturnsEverySlotWhereKIsAllOfThem) {
  for (int64_t n : {1, 2, 5, 20}) {
    const auto [query, keys] = random_inputs(7, 3, 2, 8, n);
    EXPECT_TRUE(same(product_key_topk(query, keys, n * n), brute_force(query, keys, n * n))) << n;
  }
}

TEST(ProductKeyTopK, SmallIntegersTieOftenAndStillGiveExactBits) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    for (int64_t k : {1, 4, 8, 33, 70}) {
      const auto [query, keys] = integer_inputs(seed, 40, 2, 8, 24);
      EXPECT_TRUE(same(product_key_topk(query, keys, k), brute_force(query, keys, k))) << "k " << k;
    }
  }
}

TEST(ProductKeyTopK, AllScoresEqualGiveTheLowestSlots) {
  for (int64_t k : {1, 3, 8, 20, 36}) {
    const TopK result = product_key_topk(at::zeros({2, 1, 4}), at::randn({1, 2, 6, 2}), k);
    EXPECT_TRUE(bit_equal(result.slots[1][0], at::arange(k, at::kLong))) << k;
  }
}

// The magnitudes make sums of different pairs round to the same number, also of pairs outside the staircase and of
// sub-keys outside a half's k best.
TEST(ProductKeyTopK, TiesByRoundingGoToTheLowerSlot) {
  for (uint64_t seed : tests::seeds(5)) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    for (int64_t n : {4, 9, 40}) {
      for (double small : {1e-3, 1.0, 8.0, 30.0}) {
        for (int64_t k : {1, 2, 3, 8, 16}) {
          const at::Tensor first = (1e8 + at::randn({n}) * small).to(at::kFloat);
          const at::Tensor second = (at::randn({n}) * small).to(at::kFloat);
          const std::vector<float> a(first.const_data_ptr<float>(), first.const_data_ptr<float>() + n);
          const std::vector<float> b(second.const_data_ptr<float>(), second.const_data_ptr<float>() + n);
          TopK expected;
          EXPECT_TRUE(same(topk_of_half_scores(a, b, k, expected), expected)) << n << " " << small << " " << k;
          EXPECT_TRUE(same(topk_of_half_scores(b, a, k, expected), expected)) << n << " " << small << " " << k;
        }
      }
    }
  }
}

TEST(ProductKeyTopK, APairOutsideTheStaircaseWinsATieByItsLowerSlot) {
  // k = 2 looks at rank pairs (1,1), (1,2), (2,1). In float32 1e8 + 3 and 1e8 + 2 are both 1e8, so all pairs with the
  // first half's best tie, and slot 0, made of rank 4 of the second half, is among the two lowest.
  TopK expected;
  const TopK result = topk_of_half_scores({1e8f, 0, 0, 0}, {1, 2, 3, 2.5f}, 2, expected);
  EXPECT_TRUE(bit_equal(result.slots.flatten(), at::tensor({0, 1}, at::kLong)));
  EXPECT_TRUE(same(result, expected));
}

TEST(ProductKeyTopK, NanAndInfinitiesFollowTheRule) {
  const std::vector<std::vector<float>> halves = {{kNan, 1, 2, kNan},
                                                  {kNan, kNan, kNan, kNan},
                                                  {kInfinity, 0, -1, kNan},
                                                  {-kInfinity, -kInfinity, 3, 0},
                                                  {kInfinity, -kInfinity, 0, 1}};
  for (const auto& first : halves) {
    for (const auto& second : halves) {
      for (int64_t k : {1, 2, 3, 5, 16}) {
        TopK expected;
        const TopK result = topk_of_half_scores(first, second, k, expected);
        EXPECT_TRUE(same(result, expected)) << "k " << k << " " << result.slots << expected.slots;
      }
    }
  }
}

TEST(ProductKeyTopK, Bfloat16InputsAreScoredInFloat32) {
  const auto [query, keys] = random_inputs(3, 20, 2, 16, 20);
  const at::Tensor q = query.to(at::kBFloat16), s = keys.to(at::kBFloat16);
  const TopK result = product_key_topk(q, s, 8);
  EXPECT_EQ(result.scores.scalar_type(), at::kFloat);
  EXPECT_TRUE(same(result, product_key_topk(q.to(at::kFloat), s.to(at::kFloat), 8)));
}

TEST(ProductKeyTopK, AgreesWithTheReferenceInDouble) {
  const auto [query, keys] = random_inputs(4, 30, 2, 48, 37);
  const TopK expected = product_key_topk_reference(query.to(at::kDouble), keys.to(at::kDouble), 12);
  const TopK in_double = product_key_topk(query.to(at::kDouble), keys.to(at::kDouble), 12);
  EXPECT_EQ(in_double.scores.scalar_type(), at::kDouble);
  EXPECT_TRUE(bit_equal(in_double.slots, expected.slots));
  EXPECT_TRUE(at::allclose(in_double.scores, expected.scores, 1e-12, 1e-12));
  // The best score of the float32 kernel is within the bound of its dot products.
  const TopK in_float = product_key_topk(query, keys, 12);
  const at::Tensor bound = tests::sum_bound(query.abs().to(at::kDouble).sum(-1).unsqueeze(-1) * keys.abs().max(), 49);
  EXPECT_TRUE(tests::within(in_float.scores, expected.scores, bound));
}

TEST(ProductKeyTopK, ReadsAnyStrides) {
  const auto [query, keys] = random_inputs(5, 12, 3, 8, 10);
  const at::Tensor q = query.transpose(0, 1).contiguous().transpose(0, 1);
  const at::Tensor s = keys.permute({3, 0, 2, 1}).contiguous().permute({1, 3, 2, 0});
  ASSERT_FALSE(q.is_contiguous() || s.is_contiguous());
  EXPECT_TRUE(same(product_key_topk(q, s, 6), product_key_topk(query, keys, 6)));
}

TEST(ProductKeyTopK, TakesNoTokens) {
  const at::Tensor query = at::empty({0, 2, 8}).requires_grad_(true);
  const at::Tensor keys = at::randn({2, 2, 5, 4}).requires_grad_(true);
  const TopK result = product_key_topk(query, keys, 3);
  EXPECT_EQ(result.scores.sizes(), (std::vector<int64_t>{0, 2, 3}));
  result.scores.sum().backward();
  EXPECT_EQ(query.grad().sizes(), query.sizes());
  EXPECT_TRUE(keys.grad().eq(0).all().item<bool>());
}

TEST(ProductKeyTopK, TakesNoHeads) {
  for (int64_t k : {3, 97}) {  // a long list goes another way on a device
    const TopK result = product_key_topk(at::empty({3, 0, 8}), at::empty({0, 2, 130, 4}), k);
    EXPECT_EQ(result.slots.sizes(), (std::vector<int64_t>{3, 0, k}));
  }
}

// Laws.

TEST(ProductKeyTopK, PermutingSubKeysPermutesSlots) {
  const auto [query, keys] = random_inputs(6, 25, 1, 12, 15);
  const at::Tensor order = at::randperm(15, at::kLong), other = at::randperm(15, at::kLong);
  const at::Tensor permuted =
      at::stack({keys.select(1, 0).index_select(1, order), keys.select(1, 1).index_select(1, other)}, 1);
  const TopK before = product_key_topk(query, keys, 7), after = product_key_topk(query, permuted, 7);
  EXPECT_TRUE(bit_equal(after.scores, before.scores));
  const at::Tensor first = order.take(after.slots.floor_divide(15)), second = other.take(after.slots.remainder(15));
  EXPECT_TRUE(bit_equal(first * 15 + second, before.slots));
}

TEST(ProductKeyTopK, ATokenDoesNotDependOnItsBatch) {
  const auto [query, keys] = random_inputs(8, 45, 2, 40, 30);
  const TopK together = product_key_topk(query, keys, 8);
  for (int64_t first = 0; first < 45; first += 7) {
    const int64_t count = std::min<int64_t>(1 + first % 9, 45 - first);
    const TopK alone = product_key_topk(query.narrow(0, first, count), keys, 8);
    EXPECT_TRUE(same(alone, {together.scores.narrow(0, first, count), together.slots.narrow(0, first, count)}));
  }
}

TEST(ProductKeyTopK, ScalingByAPowerOfTwoScalesScoresAndKeepsSlots) {
  const auto [query, keys] = random_inputs(9, 20, 2, 16, 20);
  const TopK plain = product_key_topk(query, keys, 8);
  EXPECT_TRUE(same(product_key_topk(query * 4, keys * 0.5, 8), {plain.scores * 2, plain.slots}));
}

TEST(ProductKeyTopK, AConstantAddedToOneHalfMovesAllScoresAndNoSlot) {
  auto [query, keys] = integer_inputs(10, 20, 1, 8, 16);
  query.select(2, 0).fill_(1);
  at::Tensor moved = keys.clone();
  moved.select(1, 0).select(-1, 0).add_(5);
  const TopK plain = product_key_topk(query, keys, 9);
  EXPECT_TRUE(same(product_key_topk(query, moved, 9), {plain.scores + 5, plain.slots}));
}

TEST(ProductKeyTopK, IsAPrefixOfTheNextLongerList) {
  const auto [query, keys] = integer_inputs(11, 10, 2, 6, 12);
  for (int64_t k = 1; k < 144; k += 1 + k / 8) {
    const TopK shorter = product_key_topk(query, keys, k), longer = product_key_topk(query, keys, k + 1);
    EXPECT_TRUE(same(shorter, {longer.scores.narrow(2, 0, k), longer.slots.narrow(2, 0, k)})) << k;
  }
}

TEST(ProductKeyTopK, SlotsAreDistinctAndScoresDescend) {
  const auto [query, keys] = integer_inputs(12, 30, 1, 4, 9, 1);
  const TopK result = product_key_topk(query, keys, 20);
  EXPECT_TRUE(result.scores.diff().le(0).all().item<bool>());
  for (int64_t t = 0; t < 30; ++t) {
    const int64_t* slot = result.slots.const_data_ptr<int64_t>() + t * 20;
    EXPECT_EQ(std::set<int64_t>(slot, slot + 20).size(), 20u);
  }
}

// Gradients.

TEST(ProductKeyTopK, GradientsEqualCentralDifferences) {
  for (int64_t n : {1, 4, 9}) {
    at::manual_seed(13);
    const at::Tensor query = at::randn({5, 2, 6}, at::kDouble), keys = at::randn({2, 2, n, 3}, at::kDouble);
    const int64_t k = std::min<int64_t>(n * n, 4);
    const auto scores = [k](const std::vector<at::Tensor>& in) { return product_key_topk(in[0], in[1], k).scores; };
    EXPECT_LT(tests::gradient_error(scores, {query, keys}), tests::kGradcheck) << n;
  }
}

TEST(ProductKeyTopK, GradientsAreWithinTheBoundOfTheReferenceInDouble) {
  const auto [query, keys] = random_inputs(14, 50, 2, 34, 21);
  const at::Tensor factors = at::randn({50, 2, 8});
  const auto gradients = [&](auto op, at::ScalarType dtype) {
    const at::Tensor q = query.to(dtype).clone().requires_grad_(true), s = keys.to(dtype).clone().requires_grad_(true);
    op(q, s, 8).scores.backward(factors.to(dtype));
    return std::pair{q.grad(), s.grad()};
  };
  const auto [query_grad, key_grad] = gradients(kTopK, at::kFloat);
  const auto [query_expected, key_expected] = gradients(product_key_topk_reference, at::kDouble);
  const double largest =
      factors.abs().max().item<double>() * std::max(query.abs().max().item<double>(), keys.abs().max().item<double>());
  EXPECT_TRUE(tests::within(query_grad, query_expected, tests::sum_bound(at::full({1}, 8 * largest, at::kDouble), 8)));
  EXPECT_TRUE(tests::within(key_grad, key_expected, tests::sum_bound(at::full({1}, 400 * largest, at::kDouble), 400)));
}

TEST(ProductKeyTopK, IntegerGradientsAreExact) {
  const auto [query, keys] = integer_inputs(15, 30, 2, 8, 10);
  const at::Tensor factors = at::randint(-3, 4, {30, 2, 6}).to(at::kFloat);
  const auto gradients = [&](auto op) {
    const at::Tensor q = query.clone().requires_grad_(true), s = keys.clone().requires_grad_(true);
    op(q, s, 6).scores.backward(factors);
    return std::pair{q.grad(), s.grad()};
  };
  const auto [query_grad, key_grad] = gradients(kTopK);
  const auto [query_expected, key_expected] = gradients(product_key_topk_reference);
  EXPECT_TRUE(query_grad.equal(query_expected));
  EXPECT_TRUE(key_grad.equal(key_expected));
}

TEST(ProductKeyTopK, GradientsHaveTheInputsDtypeAndOnlyWhereWanted) {
  const at::Tensor query = at::randn({6, 1, 4}, at::kBFloat16), keys = at::randn({1, 2, 5, 2}, at::kBFloat16);
  const at::Tensor wanted = keys.clone().requires_grad_(true);
  product_key_topk(query, wanted, 3).scores.sum().backward();
  EXPECT_EQ(wanted.grad().scalar_type(), at::kBFloat16);
  EXPECT_FALSE(query.grad().defined());
  EXPECT_FALSE(product_key_topk(query, wanted, 3).slots.requires_grad());
}

TEST(ProductKeyTopK, BackwardMakesNoGradientOfAllHalfScores) {
  const auto [query, keys] = random_inputs(16, 256, 2, 2, 300);
  const at::Tensor q = query.clone().requires_grad_(true), s = keys.clone().requires_grad_(true);
  const TopK result = product_key_topk(q, s, 4);
  const at::Tensor loss = result.scores.sum();
  const tests::AllocationWatch watch;
  loss.backward();
  EXPECT_GT(watch.largest_bytes(), 0u);
  EXPECT_LT(watch.largest_bytes(), size_t{256 * 2 * 300 * 4});
}

TEST(ProductKeyTopK, ResultsDoNotDependOnThreads) {
  const auto [query, keys] = random_inputs(17, 133, 3, 130, 40);
  const at::Tensor factors = at::randn({133, 3, 8});
  const int before = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> results;
  for (int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor q = query.clone().requires_grad_(true), s = keys.clone().requires_grad_(true);
    const TopK result = product_key_topk(q, s, 8);
    result.scores.backward(factors);
    results.push_back({result.scores, result.slots, q.grad(), s.grad()});
  }
  at::set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i) {
    EXPECT_TRUE(bit_equal(results[1][i], results[0][i]));
    EXPECT_TRUE(bit_equal(results[2][i], results[0][i]));
  }
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

TEST(ProductKeyTopK, MisuseIsToldInOneSentence) {
  const at::Tensor query = at::randn({3, 2, 8}), keys = at::randn({2, 2, 5, 4});
  const auto message = [](const at::Tensor& q, const at::Tensor& s, int64_t k) {
    return usage_error([&] { product_key_topk(q, s, k); });
  };
  EXPECT_EQ(message(query, keys, 26), "product_key_topk: k must be in [1, n * n = 25], got 26");
  EXPECT_EQ(message(query, keys, 0), "product_key_topk: k must be in [1, n * n = 25], got 0");
  EXPECT_EQ(message(query[0], keys, 2), "product_key_topk: query must be [N, H, K], got [2, 8]");
  EXPECT_EQ(message(query, keys[0], 2), "product_key_topk: sub_keys must be [H, 2, n, K/2], got [2, 5, 4]");
  EXPECT_NE(message(at::randn({3, 2, 7}), keys, 2).find("K must be even"), std::string::npos);
  EXPECT_NE(message(at::randn({3, 3, 8}), keys, 2).find("sub_keys must be [3, 2, n, 4]"), std::string::npos);
  EXPECT_NE(message(query, keys.to(at::kDouble), 2).find("one dtype, got float and double"), std::string::npos);
  EXPECT_NE(message(query.to(at::kHalf), keys.to(at::kHalf), 2).find("float32, bfloat16 or float64"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
