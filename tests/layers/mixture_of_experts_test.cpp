#include "layers/mixture_of_experts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include <ATen/Parallel.h>

#include "support/expert_fixture.h"
#include "support/gradcheck.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using layers::assign_experts;
using layers::ExpertAssignment;
using layers::ExpertConfig;
using layers::ExpertRouting;

constexpr int64_t kHidden = 6, kTokens = 11;

ExpertConfig small_config(ExpertRouting routing, int64_t top_k = 2, double capacity_factor = 1) {
  ExpertConfig config;
  config.layers = {0};
  config.num_experts = 4;
  config.top_k = top_k;
  config.capacity_factor = capacity_factor;
  config.routing = routing;
  config.intermediate_size = 5;
  return config;
}

std::vector<ExpertConfig> both_routings() {
  return {small_config(ExpertRouting::kExpertChoice), small_config(ExpertRouting::kExpertChoice, 1, 2.5),
          small_config(ExpertRouting::kTokenChoice), small_config(ExpertRouting::kTokenChoice, 3, 0),
          small_config(ExpertRouting::kTokenChoice, 2, 0.5)};
}

at::Tensor random_input(uint64_t seed = 7, int64_t tokens = kTokens, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(seed);
  return at::randn({tokens, kHidden}, dtype);
}

// The definition, token by token and number by number, in float64: experts[t] are token t's.
struct Definition {
  std::vector<std::vector<double>> probabilities;  // [N][E]
  std::vector<std::vector<int64_t>> experts;       // [N][..]
  std::vector<int64_t> loads;                      // [E]
  int64_t refused = 0;
};

// Numbers 0 ... count - 1 by falling value; among equals the lower first.
std::vector<int64_t> ranked(int64_t count, const std::function<double(int64_t)>& value) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return value(a) > value(b); });
  return order;
}

Definition define(const std::vector<std::vector<double>>& p, const ExpertConfig& config, bool training) {
  const auto tokens = int64_t(p.size()), experts = config.num_experts;
  Definition result{p, std::vector<std::vector<int64_t>>(p.size()), std::vector<int64_t>(size_t(experts)), 0};
  const double even = config.capacity_factor * double(tokens * config.top_k) / double(experts);
  const int64_t capacity = std::min(tokens, int64_t(std::ceil(even)));
  auto add = [&](int64_t token, int64_t expert) {
    result.experts[size_t(token)].push_back(expert);
    ++result.loads[size_t(expert)];
  };
  const bool by_experts = config.routing == ExpertRouting::kExpertChoice;
  if (by_experts && training) {
    for (int64_t e = 0; e < experts; ++e) {
      const auto best = ranked(tokens, [&](int64_t t) { return p[size_t(t)][size_t(e)]; });
      for (int64_t i = 0; i < capacity; ++i) add(best[size_t(i)], e);
    }
    return result;
  }
  const bool limited = training && capacity > 0;
  for (int64_t choice = 0; choice < (by_experts ? 1 : config.top_k); ++choice) {
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t e = ranked(experts, [&](int64_t i) { return p[size_t(t)][size_t(i)]; })[size_t(choice)];
      if (limited && result.loads[size_t(e)] == capacity) {
        ++result.refused;
      } else {
        add(t, e);
      }
    }
  }
  return result;
}

std::vector<std::vector<double>> rows_of(const at::Tensor& matrix) {
  const at::Tensor wide = matrix.detach().to(at::kDouble).contiguous();
  std::vector<std::vector<double>> rows;
  for (int64_t i = 0; i < wide.size(0); ++i) {
    const double* begin = wide.const_data_ptr<double>() + i * wide.size(1);
    rows.emplace_back(begin, begin + wide.size(1));
  }
  return rows;
}

at::Tensor defined_output(ExpertFixture& fixture, const ExpertConfig& config, const at::Tensor& input) {
  const at::Tensor x = input.detach().to(at::kDouble);
  auto weight = [&](const std::string& name) { return fixture.parameter(name).detach().to(at::kDouble); };
  // Chosen by the float32 probabilities that the layer sees.
  const at::Tensor probabilities = at::softmax(at::linear(input.detach(), fixture.parameter("router.weight")), -1);
  const Definition definition = define(rows_of(probabilities), config, fixture.pass.training);
  const at::Tensor gate = weight("experts.gate_proj.weight"), up = weight("experts.up_proj.weight"),
                   down = weight("experts.down_proj.weight");
  at::Tensor y = at::zeros_like(x);
  for (int64_t t = 0; t < x.size(0); ++t) {
    for (const int64_t e : definition.experts[size_t(t)]) {
      const at::Tensor middle = at::silu(gate[e].mv(x[t])) * up[e].mv(x[t]);
      y[t] += definition.probabilities[size_t(t)][size_t(e)] * down[e].mv(middle);
    }
  }
  return y;
}

TEST(MixtureOfExperts, EqualsItsDefinitionInTrainingAndEvaluated) {
  for (const uint64_t seed : seeds()) {
    SCOPED_TRACE(seed_note(seed));
    for (const ExpertConfig& config : both_routings()) {
      for (const bool training : {true, false}) {
        ExpertFixture fixture(config, kHidden, seed);
        fixture.pass.training = training;
        const at::Tensor x = random_input(seed);
        const at::Tensor expected = defined_output(fixture, config, x);
        EXPECT_TRUE(fixture.forward(x).to(at::kDouble).allclose(expected, kFloatRelative, kFloatAbsolute));
        const at::Tensor batch = x.narrow(0, 0, 10).view({2, 5, kHidden});
        EXPECT_EQ(fixture.forward(batch).sizes(), batch.sizes());
      }
    }
  }
}

TEST(MixtureOfExperts, AssignsAsDefinedForIntegersWithTies) {
  for (const uint64_t seed : seeds(20)) {
    SCOPED_TRACE(seed_note(seed));
    at::manual_seed(seed);
    const at::Tensor probabilities = at::randint(0, 4, {kTokens, 4}).to(at::kFloat) / 4;
    for (const ExpertConfig& config : both_routings()) {
      for (const bool training : {true, false}) {
        const Definition expected = define(rows_of(probabilities), config, training);
        const ExpertAssignment assignment = assign_experts(probabilities, config, training);
        EXPECT_EQ(assignment.loads, expected.loads);
        EXPECT_EQ(assignment.refused, expected.refused);
        std::vector<std::vector<int64_t>> experts(kTokens);
        int64_t row = 0;
        for (size_t e = 0; e < assignment.loads.size(); ++e) {
          for (int64_t i = 0; i < assignment.loads[e]; ++i, ++row) {
            const int64_t token = assignment.tokens[row].item<int64_t>();
            experts[size_t(token)].push_back(int64_t(e));
            EXPECT_EQ(assignment.weights[row].item<float>(), probabilities[token][int64_t(e)].item<float>());
          }
        }
        EXPECT_EQ(row, assignment.tokens.numel());
        for (size_t t = 0; t < experts.size(); ++t) {
          std::vector<int64_t> wanted = expected.experts[t];
          std::sort(wanted.begin(), wanted.end());
          EXPECT_EQ(experts[t], wanted) << "token " << t;
        }
      }
    }
  }
}

// Five tokens, two experts; ceil(1.0 * 5 * 1 / 2) = 3 places each. Expert 0 is everybody's first choice.
TEST(MixtureOfExperts, CountsWhatFindsItsExpertFull) {
  ExpertConfig config = small_config(ExpertRouting::kTokenChoice, 1);
  config.num_experts = 2;
  const at::Tensor probabilities =
      at::tensor({0.9f, 0.1f, 0.8f, 0.2f, 0.6f, 0.4f, 0.7f, 0.3f, 0.9f, 0.1f}).view({5, 2});
  const ExpertAssignment one = assign_experts(probabilities, config, true);
  EXPECT_EQ(one.capacity, 3);
  EXPECT_EQ(one.loads, (std::vector<int64_t>{3, 0}));
  EXPECT_EQ(one.refused, 2);
  EXPECT_TRUE(one.tokens.equal(at::tensor({0, 1, 2}, at::kLong)));
  EXPECT_TRUE(one.weights.equal(at::tensor({0.9f, 0.8f, 0.6f})));
  config.top_k = 2;
  const ExpertAssignment two = assign_experts(probabilities, config, true);  // ceil(5 * 2 / 2) = 5: room for all
  EXPECT_EQ(two.loads, (std::vector<int64_t>{5, 5}));
  EXPECT_EQ(two.refused, 0);
  config.routing = ExpertRouting::kExpertChoice, config.top_k = 1;
  const ExpertAssignment taken = assign_experts(probabilities, config, true);
  EXPECT_TRUE(taken.tokens.equal(at::tensor({0, 4, 1, 2, 3, 1}, at::kLong)));  // 0 before 4: equal, and lower
  EXPECT_EQ(taken.refused, 0);
}

TEST(MixtureOfExperts, SaysWhatATrainingPassDid) {
  ExpertConfig config = small_config(ExpertRouting::kTokenChoice, 1);
  config.num_experts = 2;
  ExpertFixture fixture(config, 2);
  fixture.parameter("router.weight").detach().copy_(at::tensor({1.0f, 0.0f, 0.0f, 1.0f}).view({2, 2}));
  const at::Tensor x = at::tensor({2.0f, 0.0f}).expand({5, 2}).contiguous();  // expert 0 for all
  fixture.pass.training = true;
  fixture.forward(x);
  const layers::ExpertUse use = fixture.pass.expert_use.back();
  EXPECT_EQ(use.tokens, 5);
  EXPECT_EQ(use.capacity, 3);
  EXPECT_EQ(use.refused, 2);
  EXPECT_EQ(use.dropped, 2);
  EXPECT_EQ(use.loads, (std::vector<int64_t>{3, 0}));
  EXPECT_EQ(use.capacity_used(), 0.5);
  fixture.pass.training = false;
  fixture.forward(x.narrow(0, 0, 1));
  EXPECT_TRUE(fixture.pass.expert_use.empty()) << "an evaluation is no training pass";
}

TEST(MixtureOfExperts, ExpertsThatAllTakeTheSameTokensDropTheOthers) {
  ExpertFixture fixture(small_config(ExpertRouting::kExpertChoice, 1), kHidden);
  at::NoGradGuard no_grad;
  fixture.parameter("router.weight").zero_();  // all probabilities equal: every expert takes the first three tokens
  fixture.pass.training = true;
  fixture.forward(random_input());
  EXPECT_EQ(fixture.pass.expert_use.back().capacity, 3);
  EXPECT_EQ(fixture.pass.expert_use.back().capacity_used(), 1);
  EXPECT_EQ(fixture.pass.expert_use.back().dropped, kTokens - 3);
}

TEST(MixtureOfExperts, EvaluatesATokenWhateverTheOthersAre) {
  for (const ExpertConfig& config : both_routings()) {
    ExpertFixture fixture(config, kHidden);
    const at::Tensor x = random_input(3, 20), together = fixture.forward(x);
    for (int64_t t = 0; t < x.size(0); ++t) {
      const at::Tensor alone = fixture.forward(x.narrow(0, t, 1));
      EXPECT_TRUE(alone.allclose(together.narrow(0, t, 1), kFloatRelative, kFloatAbsolute)) << t;
    }
  }
}

TEST(MixtureOfExperts, GradientsMatchCentralDifferences) {
  for (ExpertConfig config : both_routings()) {
    if (config.routing == ExpertRouting::kTokenChoice) config.balance_loss = 0.3;
    for (const bool training : {true, false}) {
      ExpertFixture fixture(config, kHidden);
      fixture.to(at::kDouble);
      fixture.pass.training = training;
      std::vector<at::Tensor> inputs = {random_input(11, 7, at::kDouble)};
      for (const layers::Parameter& parameter : fixture.parameters) inputs.push_back(parameter.tensor->detach());
      const auto function = [&](const std::vector<at::Tensor>& values) {
        for (size_t i = 0; i < fixture.parameters.size(); ++i) *fixture.parameters[i].tensor = values[i + 1];
        const at::Tensor y = fixture.forward(values[0]);
        return fixture.pass.balance_loss.defined() ? y + fixture.pass.balance_loss : y;
      };
      EXPECT_LT(gradient_error(function, inputs), kGradcheck) << "top_k " << config.top_k << " training " << training;
    }
  }
}

TEST(MixtureOfExperts, BalanceLossIsItsWeightWhereExpertsAreUsedEvenly) {
  ExpertConfig config = small_config(ExpertRouting::kTokenChoice, 1, 0);
  config.balance_loss = 0.25;
  const at::Tensor even = at::eye(4) * 0.5 + 0.125;  // each token its own favorite, column means equal
  EXPECT_FLOAT_EQ(assign_experts(even, config, true).balance_loss.item<float>(), 0.25f);
  const at::Tensor one_sided = at::tensor({1.0f, 0.0f, 0.0f, 0.0f}).expand({6, 4}).contiguous();
  EXPECT_FLOAT_EQ(assign_experts(one_sided, config, true).balance_loss.item<float>(), 1.0f);  // E times as much
  EXPECT_FALSE(assign_experts(even, config, false).balance_loss.defined());
  config.balance_loss = 0;
  EXPECT_FALSE(assign_experts(even, config, true).balance_loss.defined());
}

TEST(MixtureOfExperts, RoutesInFloat32WhateverTheInputIs) {
  for (const ExpertConfig& config : both_routings()) {
    ExpertFixture fixture(config, kHidden);
    fixture.pass.training = true;
    const at::Tensor x = random_input().to(at::kBFloat16);
    const at::Tensor y = fixture.forward(x);
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    const std::vector<int64_t> loads = fixture.pass.expert_use.back().loads;
    const at::Tensor wide = fixture.forward(x.to(at::kFloat));
    EXPECT_EQ(fixture.pass.expert_use.back().loads, loads);
    const at::Tensor error = (y.to(at::kFloat) - wide).abs();
    // Rounded one after another: weights, gate and up, their product, the result.
    EXPECT_LT(error.max().item<double>(), 4 * kBfloat16Relative * wide.abs().max().item<double>());
  }
}

TEST(MixtureOfExperts, AssignsTheSameForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  at::manual_seed(5);
  const at::Tensor probabilities = at::softmax(at::randn({20'000, 4}), -1);
  for (ExpertConfig config : both_routings()) {
    if (config.routing == ExpertRouting::kTokenChoice) config.balance_loss = 0.3;
    at::set_num_threads(1);
    const ExpertAssignment one = assign_experts(probabilities, config, true);
    at::set_num_threads(3);
    const ExpertAssignment three = assign_experts(probabilities, config, true);
    EXPECT_TRUE(bit_equal(three.tokens, one.tokens));
    EXPECT_TRUE(bit_equal(three.weights, one.weights));
    ASSERT_EQ(three.balance_loss.defined(), one.balance_loss.defined());
    if (one.balance_loss.defined()) {
      EXPECT_TRUE(bit_equal(three.balance_loss, one.balance_loss));
    }
  }
  at::set_num_threads(before);
}

TEST(MixtureOfExperts, RepeatsItsOutputAndGradientsBitForBit) {
  for (const ExpertConfig& config : both_routings()) {
    auto pass = [&] {
      ExpertFixture fixture(config, kHidden);
      fixture.pass.training = true;
      const at::Tensor x = random_input(9, 2'000).requires_grad_();
      const at::Tensor y = fixture.forward(x);
      y.square().sum().backward();
      std::vector<at::Tensor> results = {y.detach(), x.grad()};
      for (const layers::Parameter& parameter : fixture.parameters) results.push_back(parameter.tensor->grad());
      return results;
    };
    const auto first = pass(), second = pass();
    for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(bit_equal(second[i], first[i])) << i;
  }
}

TEST(MixtureOfExperts, OneExpertOfAllTokensIsAFeedForward) {
  ExpertConfig config = small_config(ExpertRouting::kExpertChoice, 1);
  config.num_experts = 1;
  ExpertFixture fixture(config, kHidden);
  fixture.pass.training = true;
  const at::Tensor x = random_input();
  auto weight = [&](const std::string& name) { return fixture.parameter("experts." + name + ".weight")[0]; };
  const at::Tensor middle = at::silu(at::linear(x, weight("gate_proj"))) * at::linear(x, weight("up_proj"));
  EXPECT_TRUE(fixture.forward(x).allclose(at::linear(middle, weight("down_proj")), kFloatRelative, kFloatAbsolute));
}

}  // namespace
}  // namespace memlayers::tests
