#include "layers/ngram_layer.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>

#include "layers/ngram_hash.h"
#include "support/gradcheck.h"
#include "support/memory_fixture.h"
#include "support/ngram_fixture.h"
#include "support/test_table.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using layers::kNoToken;
using layers::NgramConfig;
using layers::NgramPlace;

constexpr int64_t kHidden = 12;

NgramConfig small_config() {
  NgramConfig config;
  config.layers = {0};
  config.orders = {2, 3};
  config.hashes = 2;
  config.rows = 10;
  config.value_dim = 3;
  return config;
}

int64_t hashed(int64_t table, int64_t order, int64_t hash, const std::vector<int64_t>& newest_first, int64_t rows) {
  uint64_t state = layers::ngram_key(table, order, hash);
  for (const int64_t token : newest_first) state = layers::ngram_append(state, token);
  return layers::ngram_row(state, rows);
}

// Made by an independent program in arbitrary-precision integers. A checkpoint's tables are addressed by these numbers:
// they must never change.
TEST(NgramHash, HasItsGoldenValues) {
  EXPECT_EQ(layers::mix_bits(0), 0u);
  EXPECT_EQ(layers::mix_bits(1), 0x5692161d100b05e5u);
  EXPECT_EQ(layers::ngram_key(0, 2, 0), 0x0fc2cb44b2c281d6u);
  EXPECT_EQ(layers::ngram_key(1, 3, 7), 0x5a3c9ac1aa37de73u);
  struct Golden {
    int64_t table, order, hash;
    std::vector<int64_t> newest_first;
    int64_t rows, row;
  };
  for (const Golden& golden : {Golden{0, 2, 0, {5, -1}, 65536, 16977},
                               {0, 2, 1, {5, -1}, 65536, 43404},
                               {0, 2, 0, {5, 4}, 65536, 59427},
                               {0, 2, 0, {4, 5}, 65536, 22378},
                               {0, 3, 0, {5, 4, 3}, 1000003, 214874},
                               {1, 3, 0, {5, 4, 3}, 1000003, 156441},
                               {0, 3, 3, {2147483647, 0, 1}, 536870912, 309698223},
                               {0, 1, 0, {0}, 7, 3}}) {
    EXPECT_EQ(hashed(golden.table, golden.order, golden.hash, golden.newest_first, golden.rows), golden.row);
  }
}

// Chi-square over rows, of n-grams that differ in few bits; its deviation for 999 degrees of freedom is 44.7.
TEST(NgramHash, SpreadsSimilarNgramsEvenlyOverAnyNumberOfRows) {
  for (const int64_t rows : {1000, 1024, 997}) {
    std::vector<int64_t> counts(static_cast<size_t>(rows));
    for (int64_t a = 0; a < 300; ++a) {
      for (int64_t b = 0; b < 300; ++b) ++counts[static_cast<size_t>(hashed(0, 2, 0, {a, b}, rows))];
    }
    const double expected = 300.0 * 300.0 / static_cast<double>(rows);
    double chi = 0;
    for (const int64_t count : counts) chi += (double(count) - expected) * (double(count) - expected) / expected;
    EXPECT_NEAR(chi, double(rows - 1), 5 * 44.7) << rows;
  }
}

TEST(NgramHash, HashesAreIndependent) {
  // Pairs that meet in one hash meet in another as often as any pair does: about once in `rows`.
  constexpr int64_t kRows = 64;
  for (const auto& other : {std::array<int64_t, 3>{0, 2, 1}, {1, 2, 0}, {0, 3, 0}}) {
    std::map<int64_t, std::vector<int64_t>> met;
    for (int64_t token = 0; token < 4096; ++token) met[hashed(0, 2, 0, {token, 7}, kRows)].push_back(token);
    int64_t pairs = 0, again = 0;
    for (const auto& [row, tokens] : met) {
      for (size_t i = 0; i < tokens.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          ++pairs;
          again += hashed(other[0], other[1], other[2], {tokens[i], 7}, kRows) ==
                   hashed(other[0], other[1], other[2], {tokens[j], 7}, kRows);
        }
      }
    }
    EXPECT_NEAR(double(again) / double(pairs) * kRows, 1, 0.05);
  }
}

TEST(NgramSlots, AreGoldenAndCutAtTheBeginOfADocument) {
  const at::Tensor tokens = at::tensor({9, 1, 4, 4, 1, 4}, at::kLong).view({1, 6});
  const at::Tensor slots = layers::ngram_slots(tokens, 6, small_config(), {1, 0});
  const at::Tensor expected =
      at::tensor({8, 10, 22, 35, 7, 12, 28, 38, 1, 13, 20, 32, 9, 11, 20, 37, 7, 12, 28, 38, 1, 13, 20, 32}, at::kLong)
          .view({6, 4});
  EXPECT_TRUE(slots.equal(expected)) << slots;  // what follows the second 1 is as what follows the first
}

TEST(NgramSlots, MatchTheirDefinition) {
  NgramConfig config;
  config.orders = {1, 4, 2};
  config.hashes = 3;
  config.rows = 101;
  constexpr int64_t kBos = 2, kBatch = 3, kLength = 40, kTable = 5;
  at::manual_seed(3);
  const at::Tensor tokens = at::randint(6, {kBatch, kLength}, at::kLong);
  const at::Tensor slots = layers::ngram_slots(tokens, kLength, config, {kBos, kTable});
  ASSERT_EQ(slots.sizes(), (std::vector<int64_t>{kBatch * kLength, 9}));
  const auto token = tokens.accessor<int64_t, 2>();
  const auto slot = slots.accessor<int64_t, 2>();
  for (int64_t b = 0; b < kBatch; ++b) {
    for (int64_t t = 0; t < kLength; ++t) {
      int64_t begin = 0;  // of the document that t is in
      for (int64_t s = 0; s <= t; ++s) begin = token[b][s] == kBos ? s : begin;
      int64_t column = 0;
      for (const int64_t order : config.orders) {
        std::vector<int64_t> ngram;
        for (int64_t s = t; s > t - order; --s) ngram.push_back(s >= begin ? token[b][s] : kNoToken);
        for (int64_t hash = 0; hash < config.hashes; ++hash, ++column) {
          EXPECT_EQ(slot[b * kLength + t][column], column * 101 + hashed(kTable, order, hash, ngram, 101));
        }
      }
    }
  }
}

TEST(NgramSlots, OfTheLastTokensAreTheLastOfAll) {
  const NgramConfig config = small_config();
  at::manual_seed(4);
  const at::Tensor tokens = at::randint(5, {2, 9}, at::kLong);
  const at::Tensor all = layers::ngram_slots(tokens, 9, config, {1, 0}).view({2, 9, 4});
  for (const int64_t count : {1, 2, 5, 8}) {
    const at::Tensor last = layers::ngram_slots(tokens, count, config, {1, 0}).view({2, count, 4});
    EXPECT_TRUE(last.equal(all.narrow(1, 9 - count, count))) << count;
  }
}

TEST(NgramSlots, AreTheSameWithAnyNumberOfThreads) {
  const at::Tensor tokens = at::randint(50, {7, 999}, at::kLong);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = layers::ngram_slots(tokens, 999, small_config(), {1, 0});
  at::set_num_threads(3);
  EXPECT_TRUE(layers::ngram_slots(tokens, 999, small_config(), {1, 0}).equal(one));
  at::set_num_threads(threads);
}

TEST(NgramLayer, MatchesItsDefinition) {
  NgramFixture fixture(small_config(), kHidden);
  fixture.fill_value_proj();
  at::manual_seed(6);
  fixture.parameter("query_norm.weight").detach().copy_(at::rand({kHidden}) + 0.5);
  fixture.parameter("key_norm.weight").detach().copy_(at::rand({kHidden}) + 0.5);
  fixture.to(at::kDouble);
  const at::Tensor x = at::randn({2, 5, kHidden}, at::kDouble), tokens = at::randint(9, {2, 5}, at::kLong);
  const at::Tensor slots = layers::ngram_slots(tokens, 5, small_config(), {1, 0});
  const at::Tensor e = rows_of(*fixture.table).index_select(0, slots.view({-1})).view({10, 12});
  const auto normed = [&](const at::Tensor& v, const std::string& weight) {
    return v / (v.square().mean(-1, true) + 1e-5).sqrt() * fixture.parameter(weight);
  };
  const at::Tensor q = normed(x.view({10, kHidden}), "query_norm.weight");
  const at::Tensor k = normed(at::linear(e, fixture.parameter("key_proj.weight")), "key_norm.weight");
  const at::Tensor gate = 1 / (1 + (-(q * k).sum(-1, true) / std::sqrt(double(kHidden))).exp());
  const at::Tensor expected = (gate * at::linear(e, fixture.parameter("value_proj.weight"))).view({2, 5, kHidden});
  EXPECT_TRUE(fixture.forward(x, tokens).allclose(expected, 1e-10, 1e-12));
  EXPECT_GT(expected.abs().max().item<double>(), 0.1);
}

TEST(NgramLayer, GradientsMatchCentralDifferences) {
  NgramFixture fixture(small_config(), kHidden);
  fixture.fill_value_proj();
  fixture.to(at::kDouble);
  at::manual_seed(8);
  const at::Tensor tokens = at::randint(3, {2, 4}, at::kLong);  // rows are read several times
  std::vector<at::Tensor> inputs = {at::randn({2, 4, kHidden}, at::kDouble)};
  for (const layers::Parameter& parameter : fixture.parameters) inputs.push_back(parameter.tensor->detach());
  const auto run = [&](const std::vector<at::Tensor>& in) {
    for (size_t i = 0; i < fixture.parameters.size(); ++i) *fixture.parameters[i].tensor = in[i + 1];
    return fixture.forward(in[0], tokens);
  };
  EXPECT_LT(gradient_error(run, inputs), kGradcheck);

  // The table's, out of its records.
  fixture.table->take_records();
  const at::Tensor factors = at::randn({2, 4, kHidden}, at::kDouble);
  const auto total = [&] { return (run(inputs) * factors).sum(); };
  total().backward();
  const at::Tensor gradient = dense_gradient(*fixture.table);
  const at::NoGradGuard no_grad;
  double* value = rows_of(*fixture.table).mutable_data_ptr<double>();
  for (int64_t i = 0; i < gradient.numel(); ++i) {
    const double center = value[i], step = 1e-6;
    value[i] = center + step;
    const double above = total().item<double>();
    value[i] = center - step;
    const double below = total().item<double>();
    value[i] = center;
    EXPECT_NEAR(gradient.const_data_ptr<double>()[i], (above - below) / (2 * step), 1e-7) << i;
  }
}

TEST(NgramLayer, StartsAtZeroAndThenMoves) {
  NgramFixture fixture(small_config(), kHidden);
  const at::Tensor x = at::ones({1, 4, kHidden}), tokens = at::tensor({1, 5, 6, 7}, at::kLong).view({1, 4});
  const at::Tensor y = fixture.forward(x, tokens);
  EXPECT_EQ(y.abs().max().item<float>(), 0);
  y.sum().backward();
  EXPECT_GT(fixture.parameter("value_proj.weight").grad().abs().max().item<float>(), 0);
}

TEST(NgramLayer, TellsItsTableWhatItReads) {
  NgramFixture fixture(small_config(), kHidden);
  const at::Tensor tokens = at::tensor({1, 5, 6, 7}, at::kLong).view({1, 4});
  at::Tensor before, after, weights;
  int64_t reader = -1;
  TestKeeper keeper([&](const at::Tensor& slots) { before = slots.view({4, 4}); });
  fixture.table->set_keeper(&keeper);
  const auto listening = fixture.table->listen([&](int64_t layer, const at::Tensor& slots, const at::Tensor& weight) {
    reader = layer, after = slots, weights = weight;
  });
  fixture.forward(at::ones({1, 4, kHidden}), tokens);
  const at::Tensor expected = layers::ngram_slots(tokens, 4, small_config(), {1, 0});
  EXPECT_TRUE(before.equal(expected) && after.equal(expected));
  EXPECT_TRUE(weights.equal(at::ones({4, 4})));
  EXPECT_EQ(reader, 3);
}

TEST(NgramLayer, BFloat16FollowsFloat32AndGatesInFloat32) {
  NgramFixture fixture(small_config(), kHidden);
  fixture.fill_value_proj();
  const at::Tensor x = at::randn({2, 4, kHidden}), tokens = at::randint(9, {2, 4}, at::kLong);
  const at::Tensor expected = fixture.forward(x, tokens).detach();
  fixture.context.dtype = at::kBFloat16;
  fixture.table->set_dtype(at::kBFloat16);
  const at::Tensor y = fixture.forward(x, tokens);
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  // Two products of bfloat16 rows and a gate of them: twice torch's relative tolerance, of the largest value.
  const double bound = 2 * kBfloat16Relative * expected.abs().max().item<double>();
  EXPECT_LT((y - expected).abs().max().item<double>(), bound);
}

}  // namespace
}  // namespace memlayers::tests
