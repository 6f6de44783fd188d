// Shapes at which AMX filters half scores (product_key_topk_filter.h), with numbers made to mislead it. Packed sub-keys
// never go through the filter, so they say what is right; on processors without AMX both go the same way.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/product_key_topk/pair_shapes.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Inputs {
  at::Tensor query, sub_keys;
};

Inputs random_inputs(uint64_t seed, int64_t tokens, int64_t heads, int64_t half_dim, int64_t n) {
  at::manual_seed(seed);
  return {at::randn({tokens, heads, 2 * half_dim}), at::randn({heads, 2, n, half_dim})};
}

::testing::AssertionResult filter_changes_nothing(const Inputs& in, int64_t k) {
  const TopK actual = product_key_topk(in.query, in.sub_keys, k);
  const TopK expected = product_key_topk(in.query, pack_sub_keys(in.sub_keys), k);
  if (auto slots = bit_equal(actual.slots, expected.slots); !slots) return slots << " (slots)";
  return bit_equal(actual.scores, expected.scores) << " (scores)";
}

TEST(PairShapes, EachHoldsKPairs) {
  for (int64_t k = 1; k <= 600; ++k) {
    const PairShapes shapes = make_pair_shapes(k);
    EXPECT_EQ(shapes.k, k);
    if (k <= 128) {
      EXPECT_GT(shapes.num_corners, 0) << k;
    }
    for (int s = 0; s < PairShapes::kShapes && shapes.num_corners > 0; ++s) {
      int64_t pairs = 0;
      for (int i = 0; i < PairShapes::kListed; ++i) {
        int columns = 0;
        for (int c = 0; c < shapes.num_corners; ++c) {
          if (i <= shapes.first[c][s]) columns = std::max(columns, shapes.second[c][s] + 1);
        }
        EXPECT_LE(columns, PairShapes::kListed);
        pairs += columns;
      }
      EXPECT_EQ(pairs, k) << "shape " << s;
    }
  }
}

TEST(ProductKeyTopKFilter, GivesTheBitsOfTheDefinitionOnManyShapes) {
  for (int64_t n : {512, 544, 1024}) {
    for (int64_t half_dim : {64, 65, 100, 800}) {
      for (int64_t k : {1, 8, 31, 32}) {
        EXPECT_TRUE(filter_changes_nothing(random_inputs(uint64_t(n + half_dim + k), 37, 2, half_dim, n), k))
            << "n " << n << " half_dim " << half_dim << " k " << k;
      }
    }
  }
}

TEST(ProductKeyTopKFilter, BlocksOfTokensMeetWithoutASeam) {
  for (int64_t tokens : {32, 64, 255, 257, 300, 513}) {
    EXPECT_TRUE(filter_changes_nothing(random_inputs(uint64_t(tokens), tokens, 1, 64, 512), 16)) << tokens;
  }
}

TEST(ProductKeyTopKFilter, SmallIntegersTieAtTheThreshold) {
  for (uint64_t seed : tests::seeds(3)) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    for (int64_t largest : {1, 2, 5}) {
      const Inputs in{at::randint(-largest, largest + 1, {40, 1, 128}).to(at::kFloat),
                      at::randint(-largest, largest + 1, {1, 2, 640, 64}).to(at::kFloat)};
      for (int64_t k : {1, 7, 32}) EXPECT_TRUE(filter_changes_nothing(in, k)) << "largest " << largest << " k " << k;
    }
  }
}

TEST(ProductKeyTopKFilter, EqualSubKeysGiveTheLowestSlots) {
  const Inputs in{at::randn({33, 1, 128}), at::randn({1, 2, 1, 64}).expand({1, 2, 512, 64}).contiguous()};
  EXPECT_TRUE(bit_equal(product_key_topk(in.query, in.sub_keys, 32).slots[32][0], at::arange(32, at::kLong)));
  EXPECT_TRUE(filter_changes_nothing(in, 32));
  EXPECT_TRUE(filter_changes_nothing({at::zeros({33, 1, 128}), at::randn({1, 2, 512, 64})}, 5));
}

// Sub-keys of few clusters: inside one, scores differ by less than bfloat16 can tell, or by less than float32 can.
TEST(ProductKeyTopKFilter, ScoresThatDifferBelowTheNarrowPrecisionAreToldApart) {
  for (double spread : {1e-2, 1e-3, 1e-5, 1e-7}) {
    for (int64_t clusters : {1, 8, 60}) {
      at::manual_seed(uint64_t(clusters));
      const at::Tensor centers = at::randn({1, 2, clusters, 96});
      const at::Tensor keys =
          centers.index_select(2, at::randint(clusters, {800}, at::kLong)) + spread * at::randn({1, 2, 800, 96});
      EXPECT_TRUE(filter_changes_nothing({at::randn({64, 1, 192}), keys}, 32)) << spread << " " << clusters;
    }
  }
}

TEST(ProductKeyTopKFilter, MagnitudesMayBeFarApart) {
  for (double power : {2.0, 6.0, 15.0}) {
    auto [query, keys] = random_inputs(5, 48, 2, 64, 512);
    const auto spread = [power](at::IntArrayRef sizes) { return at::exp(power * at::randn(sizes)); };
    EXPECT_TRUE(filter_changes_nothing({query, keys * spread({2, 2, 512, 1})}, 16)) << "of sub-keys, " << power;
    EXPECT_TRUE(filter_changes_nothing({query, keys * spread({2, 2, 1, 64})}, 16)) << "of dimensions, " << power;
    EXPECT_TRUE(filter_changes_nothing({query, keys * spread({2, 2, 1, 1})}, 16)) << "of halves, " << power;
    EXPECT_TRUE(filter_changes_nothing({query * spread({48, 2, 1}), keys}, 16)) << "of queries, " << power;
    EXPECT_TRUE(filter_changes_nothing({query * spread({48, 2, 128}), keys}, 16)) << "inside queries, " << power;
  }
  // Sums of the halves round away what the second half has to say.
  for (double larger : {1e2, 1e5, 1e8}) {
    auto [query, keys] = random_inputs(6, 48, 1, 64, 512);
    keys.select(1, 0).mul_(larger);
    EXPECT_TRUE(filter_changes_nothing({query, keys}, 16)) << larger;
    EXPECT_TRUE(filter_changes_nothing({query, keys.flip(1)}, 16)) << larger;
  }
}

TEST(ProductKeyTopKFilter, TheEdgesOfFloat32AreNoException) {
  for (double query_scale : {1e-42, 1e-38, 1e-25, 1.0, 1e12, 1e19, 1e30}) {
    for (double key_scale : {1e-40, 1e-20, 1.0, 1e18, 1e36}) {
      auto [query, keys] = random_inputs(7, 33, 1, 64, 512);
      EXPECT_TRUE(filter_changes_nothing({query * query_scale, keys * key_scale}, 9))
          << query_scale << " " << key_scale;
    }
  }
}

TEST(ProductKeyTopKFilter, NanAndInfinitiesFollowTheRule) {
  for (float odd : {kNan, kInfinity, -kInfinity}) {
    auto [query, keys] = random_inputs(8, 40, 2, 64, 512);
    query[3][0][5] = odd;
    query[39][1][127] = odd;
    EXPECT_TRUE(filter_changes_nothing({query, keys}, 16)) << odd << " in queries";
    keys[0][1][17][63] = odd;
    keys[1][0][511][0] = odd;
    EXPECT_TRUE(filter_changes_nothing({query, keys}, 16)) << odd << " in sub-keys too";
  }
}

// Numbers just above the middle between two of bfloat16 and just below it, in turns. Against signs that alternate as
// well, all that narrowing does adds up, and reaches what the error bound allows.
at::Tensor worst_rounded(int64_t dim, double sign) {
  const at::Tensor even = at::arange(dim).remainder(2).eq(0);
  return at::where(even, 1 + (0.5 + 1e-3 * sign) * 0x1p-7, 1 + (0.5 - 1e-3 * sign) * 0x1p-7).to(at::kFloat);
}

TEST(ProductKeyTopKFilter, ErrorsAsLargeAsTheirBoundMisleadNoOne) {
  constexpr int64_t kDim = 64, kEach = 40;
  const at::Tensor signs = at::where(at::arange(kDim).remainder(2).eq(0), 1.0, -1.0).to(at::kFloat);
  for (bool of_queries : {false, true}) {
    // The narrowed products see decoys as good as can be and winners as bad, but winners have an advantage elsewhere.
    const at::Tensor decoy = of_queries ? signs : worst_rounded(kDim, 1);
    const at::Tensor winner = of_queries ? -signs : worst_rounded(kDim, -1);
    at::manual_seed(12);
    at::Tensor keys = 1e-5 * at::randn({1, 2, 512, kDim + 1});
    keys.slice(2, 0, kEach).slice(3, 0, kDim).copy_(decoy.expand({1, 2, kEach, kDim}));
    keys.slice(2, kEach, 2 * kEach).slice(3, 0, kDim).copy_(winner.expand({1, 2, kEach, kDim}));
    keys.slice(2, 0, kEach).select(3, kDim).fill_(0);
    keys.slice(2, kEach, 2 * kEach).select(3, kDim).copy_(1e-4 * (at::arange(kEach) + 20).expand({1, 2, kEach}));
    at::Tensor query = at::ones({32, 1, 2, kDim + 1});
    query.slice(3, 0, kDim).copy_((of_queries ? worst_rounded(kDim, 1) : signs).expand({32, 1, 2, kDim}));
    const Inputs in{query.flatten(2), keys};
    EXPECT_TRUE(filter_changes_nothing(in, 32)) << "of queries: " << of_queries;
    const at::Tensor first = product_key_topk(in.query, in.sub_keys, 32).slots.floor_divide(512);
    EXPECT_TRUE(first.ge(kEach).all().item<bool>() && first.lt(2 * kEach).all().item<bool>());
  }
}

// Each chunk of sub-keys beats the one before, so the bound is always too low; then the other way around.
TEST(ProductKeyTopKFilter, RisingAndFallingScoresAreAllSeen) {
  const auto [query, keys] = random_inputs(9, 40, 1, 64, 1024);
  at::Tensor rising = keys * 0.01;
  rising.select(3, 0).copy_(at::arange(1024).to(at::kFloat).expand({1, 2, 1024}));
  at::Tensor positive = query.clone();
  positive.select(2, 0).fill_(1);
  positive.select(2, 64).fill_(1);
  for (int64_t k : {1, 32}) {
    EXPECT_TRUE(filter_changes_nothing({positive, rising}, k));
    EXPECT_TRUE(filter_changes_nothing({positive, rising.flip(2)}, k));
    EXPECT_TRUE(filter_changes_nothing({positive, rising * 1e-3}, k));
  }
}

TEST(ProductKeyTopKFilter, Bfloat16InputsAreScoredInFloat32) {
  const auto [query, keys] = random_inputs(10, 50, 2, 64, 512);
  EXPECT_TRUE(filter_changes_nothing({query.to(at::kBFloat16), keys.to(at::kBFloat16)}, 32));
}

TEST(ProductKeyTopKFilter, ResultsDoNotDependOnThreadsOrBatch) {
  const auto [query, keys] = random_inputs(11, 300, 3, 80, 512);
  const int before = at::get_num_threads();
  std::vector<TopK> results;
  for (int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    results.push_back(product_key_topk(query, keys, 32));
  }
  at::set_num_threads(before);
  for (const TopK& result : results) {
    EXPECT_TRUE(bit_equal(result.slots, results[0].slots));
    EXPECT_TRUE(bit_equal(result.scores, results[0].scores));
  }
  const TopK part = product_key_topk(query.narrow(0, 17, 60), keys, 32),
             one = product_key_topk(query[299].unsqueeze(0), keys, 32);
  EXPECT_TRUE(bit_equal(part.slots, results[0].slots.narrow(0, 17, 60)));
  EXPECT_TRUE(bit_equal(one.scores, results[0].scores.narrow(0, 299, 1)));
}

}  // namespace
}  // namespace memlayers::ops
