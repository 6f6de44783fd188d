#include "ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/kernel_choice.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy_kernel.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy_reference.h"
#include "support/seeds.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

const CrossEntropyKernel& chosen_kernel() {
  return choose_kernel("softmax_cross_entropy_test", baseline::kCrossEntropyKernel, avx2::kCrossEntropyKernel,
                       avx512::kCrossEntropyKernel);
}

at::Tensor random_targets(int64_t rows, int64_t vocabulary) { return at::randint(vocabulary, {rows}, at::kLong); }

struct Result {
  at::Tensor losses, gradient;
};

Result run(const at::Tensor& logits, const at::Tensor& targets, double scale = 1) {
  at::Tensor written = logits.clone();
  const at::Tensor losses = softmax_cross_entropy_gradient_(written, targets, scale);
  return {losses, written};
}

Result reference(const at::Tensor& logits, const at::Tensor& targets, double scale = 1) {
  const at::Tensor leaf = logits.to(at::kDouble).requires_grad_(true);
  const at::Tensor losses = softmax_cross_entropy_reference(leaf, targets);
  (losses.sum() * scale).backward();
  return {losses.detach(), leaf.grad()};
}

// e^x.

TEST(Exponential, IsGoodToTwoUnitsInTheLastPlace) {
  std::vector<float> x;
  for (float v = -87.3364f; v < 88.37f; v += 1.7e-4f) x.push_back(v);
  std::vector<float> y(x.size());
  chosen_kernel().float32.exponential(x.data(), y.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = std::exp(static_cast<double>(x[i]));
    const auto rounded = static_cast<float>(exact);
    worst = std::max(worst, std::abs(y[i] - exact) / (std::nextafter(rounded, kInfinity) - rounded));
  }
  EXPECT_LT(worst, 2);
}

TEST(Exponential, InFloat64IsGoodToTwoUnitsInTheLastPlace) {
  std::vector<double> x;
  for (double v = -708.39; v < 709.43; v += 1.7e-3) x.push_back(v);
  std::vector<double> y(x.size());
  chosen_kernel().float64.exponential(x.data(), y.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(y[i] / std::exp(x[i]) - 1));
  EXPECT_LT(worst, 2 * std::numeric_limits<double>::epsilon());
}

TEST(Exponential, KnowsItsEnds) {
  const std::vector<float> x = {0, -kInfinity, kInfinity, kNan, -88, 89, -1e30f, 1e30f, -0.0f};
  std::vector<float> y(x.size());
  chosen_kernel().float32.exponential(x.data(), y.data(), static_cast<int64_t>(x.size()));
  const std::vector<float> expected = {1, 0, kInfinity, kNan, 0, kInfinity, 0, kInfinity, 1};
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(y[i] == expected[i] || (std::isnan(y[i]) && std::isnan(expected[i]))) << x[i] << " gives " << y[i];
  }
}

// Losses and gradients.

TEST(SoftmaxCrossEntropy, EqualsTheReferenceInDouble) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    for (int64_t vocabulary : {1, 2, 15, 16, 17, 63, 64, 65, 127, 1000, 2048}) {
      const at::Tensor logits = at::randn({9, vocabulary}) * 6, targets = random_targets(9, vocabulary);
      const Result actual = run(logits, targets, 0.25), expected = reference(logits, targets, 0.25);
      // Lanes add V / 16 numbers each, then log2(16) halves; e^x and x - largest are good to a few units each.
      const double unit = std::numeric_limits<float>::epsilon();
      const double relative = unit * (static_cast<double>(vocabulary) / 16 + 10);
      // Rounding x - largest moves e^x by a unit times that difference; the sum moves by the mean of those.
      const at::Tensor softmax = at::softmax(logits.to(at::kDouble), 1);
      const at::Tensor spread = (logits.amax(1, true) - logits).to(at::kDouble) * unit;
      const at::Tensor error = relative + spread + (softmax * spread).sum(1, true);
      const at::Tensor bound = 0.25 * (softmax * error + at::one_hot(targets, vocabulary) * unit) + 1e-12;
      const at::Tensor loss_bound = expected.losses.abs() * unit + relative + (softmax * spread).sum(1);
      EXPECT_TRUE(tests::within(actual.losses, expected.losses, loss_bound)) << vocabulary;
      EXPECT_TRUE(tests::within(actual.gradient, expected.gradient, bound)) << vocabulary;
    }
  }
}

TEST(SoftmaxCrossEntropy, Float64AgreesWithTheReference) {
  at::manual_seed(4);
  const at::Tensor logits = at::randn({7, 83}, at::kDouble) * 5, targets = random_targets(7, 83);
  const Result actual = run(logits, targets, 3), expected = reference(logits, targets, 3);
  EXPECT_TRUE(actual.losses.allclose(expected.losses, 1e-13, 1e-13));
  EXPECT_TRUE(actual.gradient.allclose(expected.gradient, 1e-12, 1e-14));
}

TEST(SoftmaxCrossEntropy, LossesAloneAreTheSameAndLeaveTheLogits) {
  at::manual_seed(5);
  for (int64_t vocabulary : {5, 16, 83}) {
    const at::Tensor logits = at::randn({20, vocabulary}), before = logits.clone();
    const at::Tensor targets = random_targets(20, vocabulary);
    EXPECT_TRUE(bit_equal(softmax_cross_entropy(logits, targets), run(logits, targets).losses));
    EXPECT_TRUE(bit_equal(logits, before));
  }
}

TEST(SoftmaxCrossEntropy, LargeLogitsAndMinusInfinityAreNoTrouble) {
  at::Tensor logits = at::full({3, 40}, -kInfinity);
  logits[0][3] = 1e30f, logits[0][4] = -1e30f;
  logits[1].fill_(88.0f);
  logits[2][0] = -3e38f;
  const at::Tensor targets = at::tensor({3, 17, 0}, at::kLong);
  const Result actual = run(logits, targets);
  EXPECT_EQ(actual.losses[0].item<float>(), 0);
  EXPECT_NEAR(actual.losses[1].item<float>(), std::log(40.0), 1e-6);
  EXPECT_EQ(actual.losses[2].item<float>(), 0);
  EXPECT_TRUE(actual.gradient[0].equal(at::zeros({40})));
  EXPECT_NEAR(actual.gradient[1][17].item<float>(), 1.0 / 40 - 1, 1e-6);
  EXPECT_TRUE(actual.gradient[2].equal(at::zeros({40})));
  const Result missed = run(logits, at::tensor({5, 17, 0}, at::kLong));
  EXPECT_EQ(missed.losses[0].item<float>(), kInfinity);
  EXPECT_EQ(missed.gradient[0][5].item<float>(), -1);
}

TEST(SoftmaxCrossEntropy, NanAndInfinityReachTheirRowAndNoOther) {
  for (float poison : {kNan, kInfinity}) {
    for (int64_t column : {0, 20, 37}) {
      at::Tensor logits = at::randn({3, 38});
      const Result clean = run(logits, at::zeros({3}, at::kLong));
      logits[1][column] = poison;
      const Result actual = run(logits, at::zeros({3}, at::kLong));
      EXPECT_TRUE(std::isnan(actual.losses[1].item<float>()));
      EXPECT_TRUE(actual.gradient[1].isnan().any().item<bool>());
      for (int64_t row : {0, 2}) {
        EXPECT_TRUE(bit_equal(actual.losses[row], clean.losses[row]));
        EXPECT_TRUE(bit_equal(actual.gradient[row], clean.gradient[row]));
      }
    }
  }
  EXPECT_TRUE(
      std::isnan(softmax_cross_entropy(at::full({1, 20}, -kInfinity), at::zeros({1}, at::kLong)).item<float>()));
}

TEST(SoftmaxCrossEntropy, ShiftingARowOfIntegersChangesNothing) {
  at::manual_seed(6);
  const at::Tensor logits = at::randint(-9, 10, {12, 100}).to(at::kFloat), targets = random_targets(12, 100);
  const Result plain = run(logits, targets), shifted = run(logits + 64, targets);
  EXPECT_TRUE(bit_equal(shifted.gradient, plain.gradient));
  EXPECT_TRUE(bit_equal(shifted.losses, plain.losses));
}

TEST(SoftmaxCrossEntropy, EveryInstructionSetGivesTheSameBits) {
  at::manual_seed(7);
  for (int64_t vocabulary : {7, 100, 2049}) {
    const at::Tensor logits = at::randn({11, vocabulary}) * 10, targets = random_targets(11, vocabulary);
    const Result actual = run(logits, targets, 0.3);
    at::Tensor written = logits.clone(), losses = at::empty({11});
    baseline::kCrossEntropyKernel.float32.gradient(written.mutable_data_ptr<float>(), targets.const_data_ptr<int64_t>(),
                                                   vocabulary, 0.3f, losses.mutable_data_ptr<float>(), 0, 11);
    EXPECT_TRUE(bit_equal(actual.gradient, written));
    EXPECT_TRUE(bit_equal(actual.losses, losses));
  }
}

TEST(SoftmaxCrossEntropy, ResultsDoNotDependOnThreads) {
  at::manual_seed(8);
  const at::Tensor logits = at::randn({101, 1000}), targets = random_targets(101, 1000);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = run(logits, targets);
  at::set_num_threads(3);
  const Result many = run(logits, targets);
  at::set_num_threads(before);
  EXPECT_TRUE(bit_equal(many.losses, one.losses));
  EXPECT_TRUE(bit_equal(many.gradient, one.gradient));
}

TEST(SoftmaxCrossEntropy, TakesNoRowsAndStridedTargets) {
  EXPECT_EQ(run(at::empty({0, 7}), at::empty({0}, at::kLong)).losses.numel(), 0);
  at::manual_seed(9);
  const at::Tensor logits = at::randn({5, 7}), targets = random_targets(10, 7).slice(0, 0, 10, 2);
  EXPECT_TRUE(bit_equal(run(logits, targets).gradient, run(logits, targets.contiguous()).gradient));
}

TEST(SoftmaxCrossEntropy, MisuseIsToldInOneSentence) {
  const at::Tensor logits = at::zeros({2, 5}), targets = at::zeros({2}, at::kLong);
  const auto message = [](const at::Tensor& x, const at::Tensor& t) {
    at::Tensor written = x;
    const std::string first = tests::usage_error([&] { softmax_cross_entropy(x, t); });
    EXPECT_EQ(tests::usage_error([&] { softmax_cross_entropy_gradient_(written, t, 1); }), first);
    return first;
  };
  EXPECT_EQ(message(logits, targets + 5),
            "softmax_cross_entropy: target 5 is outside the vocabulary, expected 0 <= target < 5");
  EXPECT_EQ(message(logits, targets - 1),
            "softmax_cross_entropy: target -1 is outside the vocabulary, expected 0 <= target < 5");
  EXPECT_NE(message(logits, at::zeros({3}, at::kLong)).find("targets must be [2] int64"), std::string::npos);
  EXPECT_NE(message(logits, at::zeros({2})).find("targets must be [2] int64"), std::string::npos);
  EXPECT_NE(message(at::zeros({5, 2}).t(), targets).find("must be contiguous"), std::string::npos);
  EXPECT_NE(message(logits.to(at::kBFloat16), targets).find("float32 or float64"), std::string::npos);
  EXPECT_NE(message(at::zeros({2, 0}), targets).find("V > 0"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
