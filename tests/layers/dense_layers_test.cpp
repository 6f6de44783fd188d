#include <gtest/gtest.h>

#include "base/error.h"
#include "layers/attention.h"
#include "layers/feed_forward.h"
#include "layers/initialize.h"
#include "support/gradcheck.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using layers::Initializer;

at::Tensor filled(at::IntArrayRef shape, Initializer initializer, const std::string& name = "t", uint64_t seed = 1) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  layers::initialize({name, &tensor, initializer}, seed);
  return tensor;
}

TEST(Initialize, HasTheDistributionItNames) {
  const at::Tensor uniform = filled({100'000}, Initializer::uniform(0.5));
  EXPECT_LE(uniform.abs().max().item<float>(), 0.5);
  EXPECT_NEAR(uniform.mean().item<float>(), 0, 0.005);
  EXPECT_NEAR(uniform.std().item<float>(), 0.5 / std::sqrt(3), 0.003);
  const at::Tensor normal = filled({100'000}, Initializer::normal(2));
  EXPECT_NEAR(normal.mean().item<float>(), 0, 0.03);
  EXPECT_NEAR(normal.std().item<float>(), 2, 0.03);
  EXPECT_GT(normal.abs().max().item<float>(), 6);
  const at::Tensor truncated = filled({100'000}, Initializer::truncated_normal(2));
  EXPECT_LE(truncated.abs().max().item<float>(), 6);
  EXPECT_NEAR(truncated.std().item<float>(), 2 * 0.9866, 0.03);
  EXPECT_TRUE(filled({3}, Initializer::constant(4)).equal(at::full({3}, 4.0)));
}

TEST(Initialize, DependsOnSeedAndNameAndOnNothingElse) {
  const Initializer normal = Initializer::normal(1);
  const at::Tensor first = filled({1000}, normal);
  EXPECT_TRUE(bit_equal(filled({1000}, normal), first));
  EXPECT_TRUE(bit_equal(filled({1003}, normal).narrow(0, 0, 1000).contiguous(), first));
  EXPECT_FALSE(filled({1000}, normal, "u").equal(first));
  EXPECT_FALSE(filled({1000}, normal, "t", 2).equal(first));
}

TEST(Dropout, ZeroesItsShareAndKeepsTheMean) {
  const at::Tensor y = layers::dropout(at::ones({100'000}), 0.25, 3);
  EXPECT_NEAR(y.eq(0).to(at::kFloat).mean().item<float>(), 0.25, 0.01);
  EXPECT_NEAR(y.max().item<float>(), 1 / 0.75, 1e-6);
  EXPECT_NEAR(y.mean().item<float>(), 1, 0.01);
}

TEST(RmsNorm, MatchesItsDefinitionAndCentralDifferences) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({3, 8}, at::kDouble), weight = at::randn({8}, at::kDouble);
  const at::Tensor expected = x / (x.square().mean(1, true) + 1e-5).sqrt() * weight;
  EXPECT_TRUE(layers::rms_normalize(x, weight, 1e-5).allclose(expected));
  const auto norm = [](const std::vector<at::Tensor>& in) { return layers::rms_normalize(in[0], in[1], 1e-5); };
  EXPECT_LT(gradient_error(norm, {x, weight}), kGradcheck);
}

TEST(RmsNorm, TakesStridedHalvesAndBroadcastWeights) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({2, 2, 5, 4}, at::kDouble).transpose(1, 2), weight = at::randn({2, 4}, at::kDouble);
  const at::Tensor expected = x / (x.square().mean(-1, true) + 1e-5).sqrt() * weight;
  EXPECT_TRUE(layers::rms_normalize(x, weight, 1e-5).allclose(expected));
  const auto norm = [](const std::vector<at::Tensor>& in) { return layers::rms_normalize(in[0], in[1], 1e-5); };
  EXPECT_LT(gradient_error(norm, {x, weight}), kGradcheck);
}

TEST(RmsNorm, ComputesNarrowTypesInFloat32) {
  layers::RmsNorm norm(4, 1e-5);
  layers::ParameterList list;
  norm.collect("norm", list);
  layers::initialize(list[0], 1);
  const at::Tensor x = at::full({1, 4}, 300.0, at::kBFloat16);  // its square overflows nothing in float32
  EXPECT_TRUE(norm.forward(x, at::kBFloat16).to(at::kFloat).allclose(at::ones({1, 4})));
}

TEST(Rotary, ScoresDependOnDistanceOnly) {
  const layers::Rotary rotary(8, 64, 10000.0);
  at::manual_seed(3);
  const at::Tensor q = at::randn({1, 1, 1, 8}), k = at::randn({1, 1, 1, 8});
  auto score = [&](int64_t i, int64_t j) { return (rotary.forward(q, i) * rotary.forward(k, j)).sum().item<float>(); };
  EXPECT_NEAR(score(3, 1), score(43, 41), 1e-5);
  EXPECT_TRUE(rotary.forward(q, 0).allclose(q));
}

TEST(Rotary, TurnsFirstHalfAgainstSecondHalf) {
  const layers::Rotary rotary(4, 8, 100.0);
  const at::Tensor x = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({1, 1, 1, 4});
  const double a = 2.0, b = 2.0 / 10;  // position 2, frequencies 1 and 100^(-1/2)
  const at::Tensor expected = at::tensor({1 * std::cos(a) - 3 * std::sin(a), 2 * std::cos(b) - 4 * std::sin(b),
                                          3 * std::cos(a) + 1 * std::sin(a), 4 * std::cos(b) + 2 * std::sin(b)});
  EXPECT_TRUE(rotary.forward(x, 2).view({4}).to(at::kDouble).allclose(expected.to(at::kDouble), 1e-5, 1e-6));
}

class AttentionTest : public ::testing::Test {
 protected:
  AttentionTest() : attention_({16, 4, 2, 4}), rotary_(4, 32, 10000.0) {
    attention_.collect("a", list_);
    for (const layers::Parameter& parameter : list_) layers::initialize(parameter, 1);
    context_.rotary = &rotary_;
    at::manual_seed(4);
    x_ = at::randn({2, 7, 16});
  }

  layers::Attention attention_;
  layers::Rotary rotary_;
  layers::ParameterList list_;
  layers::ForwardContext context_;
  at::Tensor x_;
};

TEST_F(AttentionTest, EqualsTheDefinition) {
  auto heads = [&](int i, int64_t count) { return at::linear(x_, *list_[i].tensor).view({2, 7, count, 4}); };
  const at::Tensor q = rotary_.forward(heads(0, 4), 0).transpose(1, 2);
  const at::Tensor k = rotary_.forward(heads(1, 2), 0).transpose(1, 2).repeat_interleave(2, 1);
  const at::Tensor v = heads(2, 2).transpose(1, 2).repeat_interleave(2, 1);
  const at::Tensor mask = at::triu(at::full({7, 7}, -std::numeric_limits<float>::infinity()), 1);
  const at::Tensor read = (q.matmul(k.transpose(2, 3)) / 2 + mask).softmax(-1).matmul(v);
  const at::Tensor expected = at::linear(read.transpose(1, 2).reshape({2, 7, 16}), *list_[3].tensor);
  EXPECT_TRUE(attention_.forward(x_, 0, context_).allclose(expected, 1e-5, 1e-6));
}

TEST_F(AttentionTest, SeesNothingOfTheFuture) {
  const at::Tensor before = attention_.forward(x_, 0, context_);
  at::Tensor changed = x_.clone();
  changed.select(1, 4).add_(1);
  const at::Tensor after = attention_.forward(changed, 0, context_);
  EXPECT_TRUE(after.narrow(1, 0, 4).allclose(before.narrow(1, 0, 4)));
  EXPECT_FALSE(after.select(1, 4).allclose(before.select(1, 4)));
}

TEST_F(AttentionTest, CachedPiecesOfAnySizeEqualTheWhole) {
  const at::Tensor whole = attention_.forward(x_, 0, context_);
  for (const std::vector<int64_t>& pieces : {std::vector<int64_t>{1, 1, 1, 1, 1, 1, 1}, {3, 4}, {5, 1, 1}, {1, 6}}) {
    layers::KeyValueCache cache;
    context_.cache = &cache;
    for (const int64_t size : pieces) {
      const int64_t begin = cache.length();
      const at::Tensor part = attention_.forward(x_.narrow(1, begin, size), 0, context_);
      cache.advance(size);
      EXPECT_TRUE(part.allclose(whole.narrow(1, begin, size), 1e-5, 1e-6));
    }
  }
}

TEST(KeyValueCache, GrowsTruncatesAndKeepsRows) {
  layers::KeyValueCache cache;
  at::manual_seed(5);
  const at::Tensor keys = at::randn({3, 2, 100, 4}), values = at::randn({3, 2, 100, 4});
  for (int64_t i = 0; i < 100; ++i) {
    cache.append(0, keys.narrow(2, i, 1), values.narrow(2, i, 1));
    cache.advance(1);
  }
  cache.keep_rows(at::tensor({2, 0}, at::kLong));
  cache.truncate(80);
  const at::Tensor more = at::randn({2, 2, 1, 4});
  const auto [k, v] = cache.append(0, more, more);
  const at::Tensor rows = at::tensor({2, 0}, at::kLong);
  EXPECT_TRUE(k.equal(at::cat({keys.index_select(0, rows).narrow(2, 0, 80), more}, 2)));
  EXPECT_TRUE(v.equal(at::cat({values.index_select(0, rows).narrow(2, 0, 80), more}, 2)));
  EXPECT_THROW(cache.append(0, keys.narrow(2, 0, 1), keys.narrow(2, 0, 1)), base::UsageError);
  EXPECT_THROW(cache.truncate(81), base::UsageError);
}

TEST(KeyValueCache, HoldsTokensBesideKeys) {
  layers::KeyValueCache cache;
  const at::Tensor tokens = at::arange(300, at::kLong).view({3, 100});
  EXPECT_TRUE(cache.append_tokens(tokens.narrow(1, 0, 1)).equal(tokens.narrow(1, 0, 1)));
  cache.advance(1);
  EXPECT_TRUE(cache.append_tokens(tokens.narrow(1, 1, 99)).equal(tokens));
  cache.advance(99);
  cache.keep_rows(at::tensor({2, 0, 0}, at::kLong));
  cache.truncate(70);
  const at::Tensor more = at::full({3, 2}, 7, at::kLong);
  const at::Tensor kept = tokens.index_select(0, at::tensor({2, 0, 0}, at::kLong)).narrow(1, 0, 70);
  EXPECT_TRUE(cache.append_tokens(more).equal(at::cat({kept, more}, 1)));
  EXPECT_THROW(cache.append_tokens(tokens.narrow(0, 0, 2)), base::UsageError);
  cache.truncate(0);
  EXPECT_TRUE(cache.append_tokens(tokens.narrow(0, 0, 2)).equal(tokens.narrow(0, 0, 2)));
}

TEST(FeedForward, IsSwiglu) {
  layers::FeedForward layer(6, 10);
  layers::ParameterList list;
  layer.collect("mlp", list);
  for (const layers::Parameter& parameter : list) layers::initialize(parameter, 1);
  at::manual_seed(6);
  const at::Tensor x = at::randn({4, 6});
  const at::Tensor gate = at::linear(x, *list[0].tensor), up = at::linear(x, *list[1].tensor);
  EXPECT_TRUE(layer.forward(x).allclose(at::linear(gate * at::sigmoid(gate) * up, *list[2].tensor), 1e-5, 1e-6));
  EXPECT_EQ(list[0].name, "mlp.gate_proj.weight");
  EXPECT_EQ(list[2].tensor->sizes(), (at::IntArrayRef{6, 10}));
}

}  // namespace
}  // namespace memlayers::tests
