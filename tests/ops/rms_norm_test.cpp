#include "ops/rms_norm/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/rms_norm/rms_norm_reference.h"
#include "support/gradcheck.h"
#include "support/seeds.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr double kEps = 1e-5;

/// The definition in the documented order: sixteen lanes along a row, then halves of lanes onto halves.
at::Tensor definition(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t size = x.size(1);
  at::Tensor y = at::empty_like(x);
  for (int64_t r = 0; r < x.size(0); ++r) {
    const float* row = x.const_data_ptr<float>() + r * size;
    float lane[16] = {};
    for (int64_t c = 0; c < size; ++c) lane[c % 16] += row[c] * row[c];
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
    }
    const float root = 1.0f / std::sqrt(lane[0] / static_cast<float>(size) + static_cast<float>(kEps));
    for (int64_t c = 0; c < size; ++c) {
      y.mutable_data_ptr<float>()[r * size + c] = row[c] * root * weight.const_data_ptr<float>()[c];
    }
  }
  return y;
}

struct Gradients {
  at::Tensor y, x, weight;
};

template <class Norm>
Gradients run(const Norm& norm, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& grad) {
  const at::Tensor leaf = x.detach().requires_grad_(true), scale = weight.detach().requires_grad_(true);
  const at::Tensor y = norm(leaf, scale, kEps);
  y.backward(grad);
  return {y.detach(), leaf.grad(), scale.grad()};
}

TEST(RmsNorm, EqualsTheDefinitionOnEveryWidthBitForBit) {
  at::manual_seed(1);
  for (int64_t size : {1, 2, 15, 16, 17, 31, 33, 64, 100, 129, 512}) {
    const at::Tensor x = at::randn({37, size}), weight = at::randn({size});
    EXPECT_TRUE(bit_equal(rms_norm(x, weight, kEps), definition(x, weight))) << "D " << size;
  }
}

TEST(RmsNorm, IsWithinTheBoundOfTheReferenceInDouble) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    const int64_t rows = 301, size = 77;
    const at::Tensor x = at::randn({rows, size}), weight = at::randn({size}), grad = at::randn({rows, size});
    const Gradients actual = run(rms_norm, x, weight, grad);
    const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
    const Gradients expected = run(rms_norm_reference, wide(x), wide(weight), wide(grad));
    // The root's relative error is half of that of its sum; the projection's is absolute.
    const double eps = std::numeric_limits<float>::epsilon();
    EXPECT_TRUE(tests::within(actual.y, expected.y, expected.y.abs() * (eps * (size / 2.0 + 4))));
    const at::Tensor root = (wide(x).square().mean(1, true) + kEps).rsqrt();
    const at::Tensor products = wide(grad) * wide(weight);
    const at::Tensor pull = (products * wide(x)).abs().sum(1, true) * root * root / size;
    const at::Tensor scale = root * (products.abs() + wide(x).abs() * pull);
    EXPECT_TRUE(tests::within(actual.x, expected.x, tests::sum_bound(scale, 2 * size)));
    const at::Tensor weight_scale = (wide(grad) * wide(x) * root).abs().sum(0);
    EXPECT_TRUE(tests::within(actual.weight, expected.weight, tests::sum_bound(weight_scale, rows + size)));
  }
}

TEST(RmsNorm, GradientsEqualCentralDifferences) {
  at::manual_seed(2);
  const auto norm = [](const std::vector<at::Tensor>& in) { return rms_norm(in[0], in[1], kEps); };
  for (int64_t size : {1, 5, 16, 19}) {
    const std::vector<at::Tensor> in = {at::randn({4, size}, at::kDouble), at::randn({size}, at::kDouble)};
    EXPECT_LT(tests::gradient_error(norm, in), tests::kGradcheck) << size;
  }
  const std::vector<at::Tensor> groups = {at::randn({2, 2, 3, 7}, at::kDouble), at::randn({2, 1, 7}, at::kDouble)};
  EXPECT_LT(tests::gradient_error(norm, groups), tests::kGradcheck);
}

TEST(RmsNorm, ARowMeetsItsWeightRow) {
  at::manual_seed(3);
  const at::Tensor queries = at::randn({70, 3, 2, 9}), keys = at::randn({3, 2, 70, 9});
  const auto check = [](const at::Tensor& x, const at::Tensor& weight) {
    const at::Tensor grad = at::randn(x.sizes());
    const Gradients actual = run(rms_norm, x, weight, grad), expected = run(rms_norm_reference, x, weight, grad);
    EXPECT_TRUE(actual.y.allclose(expected.y, tests::kFloatRelative, tests::kFloatAbsolute)) << weight.sizes();
    EXPECT_TRUE(actual.x.allclose(expected.x, tests::kFloatRelative, tests::kFloatAbsolute)) << weight.sizes();
    EXPECT_TRUE(actual.weight.allclose(expected.weight, 1e-5, 1e-4)) << weight.sizes();
  };
  check(queries, at::randn({9}));
  check(queries, at::randn({2, 9}));
  check(queries, at::randn({3, 2, 9}));
  check(queries, at::randn({1, 1, 1, 9}));
  check(keys, at::randn({2, 1, 9}));
  check(keys, at::randn({1, 2, 1, 9}));
  check(keys, at::randn({3, 1, 1, 9}));
}

TEST(RmsNorm, TakesStridedInputsAndGradients) {
  at::manual_seed(4);
  const at::Tensor x = at::randn({6, 5, 40}), weight = at::randn({80}).slice(0, 0, 80, 2), grad = at::randn({5, 6, 40});
  const Gradients strided = run(rms_norm, x.transpose(0, 1), weight, grad.transpose(1, 2).contiguous().transpose(1, 2));
  const Gradients packed = run(rms_norm, x.transpose(0, 1).contiguous(), weight.contiguous(), grad);
  EXPECT_TRUE(bit_equal(strided.y, packed.y));
  EXPECT_TRUE(bit_equal(strided.x, packed.x));
  EXPECT_TRUE(bit_equal(strided.weight, packed.weight));
}

TEST(RmsNorm, TakesNoRowsAndNoColumns) {
  for (const auto& shape : {std::vector<int64_t>{0, 5}, {3, 0}, {0, 2, 0}}) {
    const at::Tensor x = at::randn(shape).requires_grad_(true);
    const at::Tensor weight = at::ones({shape.back()}).requires_grad_(true);
    const at::Tensor y = rms_norm(x, weight, kEps);
    EXPECT_EQ(y.sizes(), x.sizes());
    y.sum().backward();
    EXPECT_EQ(x.grad().sizes(), x.sizes());
    EXPECT_TRUE(bit_equal(weight.grad(), at::zeros_like(weight)));
  }
}

TEST(RmsNorm, ARowDoesNotDependOnItsBatch) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({50, 33}), weight = at::randn({33});
  const at::Tensor together = rms_norm(x, weight, kEps);
  for (int64_t r = 0; r < 50; ++r) {
    EXPECT_TRUE(bit_equal(rms_norm(x.narrow(0, r, 1), weight, kEps), together.narrow(0, r, 1)));
  }
}

TEST(RmsNorm, ScalingARowByAPowerOfTwoChangesNothingWithoutEps) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({9, 33}), weight = at::randn({33});
  EXPECT_TRUE(bit_equal(rms_norm(x * 8, weight, 0), rms_norm(x, weight, 0)));
}

TEST(RmsNorm, ResultsDoNotDependOnThreads) {
  at::manual_seed(7);
  const int before = at::get_num_threads();
  for (const auto& shape : {std::vector<int64_t>{1030, 4, 2, 16}, {700, 1, 1, 129}}) {
    const at::Tensor x = at::randn(shape), grad = at::randn(shape), weight = at::randn({shape[2], shape[3]});
    at::set_num_threads(1);
    const Gradients one = run(rms_norm, x, weight, grad);
    at::set_num_threads(3);
    const Gradients many = run(rms_norm, x, weight, grad);
    EXPECT_TRUE(bit_equal(many.y, one.y));
    EXPECT_TRUE(bit_equal(many.x, one.x));
    EXPECT_TRUE(bit_equal(many.weight, one.weight));
  }
  at::set_num_threads(before);
}

TEST(RmsNorm, MisuseIsToldInOneSentence) {
  const at::Tensor x = at::ones({4, 3, 8});
  const auto message = [&](const at::Tensor& rows, const at::Tensor& weight) {
    return tests::usage_error([&] { rms_norm(rows, weight, kEps); });
  };
  EXPECT_EQ(message(x, at::ones({7})),
            "rms_norm: weight must be [D] or broadcast to x [4, 3, 8] with its dimensions side by side, got [7]");
  EXPECT_NE(message(x, at::ones({4, 8})).find("weight must be [D]"), std::string::npos);
  EXPECT_NE(message(x, at::ones({1, 4, 3, 8})).find("weight must be [D]"), std::string::npos);
  EXPECT_NE(message(at::ones({4, 3, 2, 8}), at::ones({4, 1, 2, 8})).find("side by side"), std::string::npos);
  EXPECT_NE(message(x, at::ones({8}, at::kDouble)).find("weight must have x's dtype"), std::string::npos);
  EXPECT_NE(message(x.to(at::kBFloat16), at::ones({8})).find("x must be [.., D] float32 or float64"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
