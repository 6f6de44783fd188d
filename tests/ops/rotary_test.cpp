#include "ops/rotary/rotary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "ops/rotary/rotary_reference.h"
#include "support/gradcheck.h"
#include "support/seeds.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

struct Angles {
  at::Tensor cosine, sine;
};

Angles random_angles(int64_t positions, int64_t dim) {
  const at::Tensor angle = at::randn({positions, dim / 2}) * 3;
  return {at::cos(angle), at::sin(angle)};
}

/// The definition in plain loops.
at::Tensor definition(const at::Tensor& x, const Angles& angles, int64_t start) {
  const int64_t length = x.size(1), heads = x.size(2), dim = x.size(3), half = dim / 2;
  at::Tensor y = at::empty_like(x);
  for (int64_t row = 0; row < x.size(0) * length * heads; ++row) {
    const float* in = x.const_data_ptr<float>() + row * dim;
    float* out = y.mutable_data_ptr<float>() + row * dim;
    const int64_t offset = (start + row / heads % length) * half;
    for (int64_t i = 0; i < half; ++i) {
      const float c = angles.cosine.const_data_ptr<float>()[offset + i];
      const float s = angles.sine.const_data_ptr<float>()[offset + i];
      out[i] = in[i] * c - in[half + i] * s;
      out[half + i] = in[half + i] * c + in[i] * s;
    }
  }
  return y;
}

TEST(RotaryOp, EqualsTheDefinitionOnEveryWidthBitForBit) {
  at::manual_seed(1);
  for (int64_t dim : {2, 4, 14, 16, 18, 32, 34, 64, 80, 128}) {
    for (int64_t start : {0, 5}) {
      const Angles angles = random_angles(13, dim);
      const at::Tensor x = at::randn({3, 7, 2, dim});
      EXPECT_TRUE(bit_equal(rotary(x, angles.cosine, angles.sine, start), definition(x, angles, start))) << dim;
    }
  }
}

TEST(RotaryOp, IsWithinTheBoundOfTheReferenceInDouble) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    const Angles angles = random_angles(9, 24);
    const at::Tensor x = at::randn({2, 6, 3, 24}), wide = x.to(at::kDouble);
    const at::Tensor expected = rotary_reference(wide, angles.cosine, angles.sine, 2);
    const at::Tensor bound =
        tests::sum_bound(rotary_reference(wide.abs(), angles.cosine.abs(), angles.sine.abs(), 2).abs() + wide.abs(), 2);
    EXPECT_TRUE(tests::within(rotary(x, angles.cosine, angles.sine, 2), expected, bound));
    EXPECT_TRUE(bit_equal(rotary(wide, angles.cosine, angles.sine, 2), expected));
  }
}

TEST(RotaryOp, GradientsEqualCentralDifferences) {
  at::manual_seed(2);
  const Angles angles = random_angles(8, 6);
  const auto op = [&](const std::vector<at::Tensor>& in) { return rotary(in[0], angles.cosine, angles.sine, 3); };
  EXPECT_LT(tests::gradient_error(op, {at::randn({2, 5, 2, 6}, at::kDouble)}), tests::kGradcheck);
}

TEST(RotaryOp, InverseTurnsBackAndTheGradientOfTheGradientIsTheOp) {
  at::manual_seed(3);
  const Angles angles = random_angles(8, 16);
  const at::Tensor x = at::randn({2, 8, 3, 16}, at::kDouble);
  const at::Tensor turned = rotary(x, angles.cosine, angles.sine, 0);
  // cos^2 + sin^2 of float32 angles is 1 to about a unit of float32.
  EXPECT_TRUE(rotary(turned, angles.cosine, angles.sine, 0, true).allclose(x, 1e-6, 1e-6));
  const at::Tensor leaf = x.clone().requires_grad_(true), grad = at::randn_like(x);
  rotary(leaf, angles.cosine, angles.sine, 0, true).backward(grad);
  EXPECT_TRUE(bit_equal(leaf.grad(), rotary(grad, angles.cosine, angles.sine, 0)));
}

TEST(RotaryOp, APieceAtItsStartEqualsThatPieceOfTheWhole) {
  at::manual_seed(4);
  const Angles angles = random_angles(9, 16);
  const at::Tensor x = at::randn({2, 9, 3, 16});
  const at::Tensor whole = rotary(x, angles.cosine, angles.sine, 0);
  for (int64_t t = 0; t < 9; ++t) {
    EXPECT_TRUE(bit_equal(rotary(x.narrow(1, t, 1), angles.cosine, angles.sine, t), whole.narrow(1, t, 1)));
  }
}

TEST(RotaryOp, Bfloat16IsComputedInFloat32AndRoundedOnce) {
  at::manual_seed(5);
  for (int64_t dim : {10, 32}) {
    const Angles angles = random_angles(4, dim);
    const at::Tensor x = at::randn({2, 4, 3, dim}).to(at::kBFloat16);
    EXPECT_TRUE(bit_equal(rotary(x, angles.cosine, angles.sine, 0),
                          rotary(x.to(at::kFloat), angles.cosine, angles.sine, 0).to(at::kBFloat16)));
  }
}

TEST(RotaryOp, TakesStridedAndEmptyInputs) {
  at::manual_seed(6);
  const Angles angles = random_angles(5, 8);
  const at::Tensor x = at::randn({2, 3, 5, 8}).transpose(1, 2);
  EXPECT_TRUE(bit_equal(rotary(x, angles.cosine, angles.sine, 0), definition(x.contiguous(), angles, 0)));
  for (const auto& shape : {std::vector<int64_t>{0, 5, 3, 8}, {2, 0, 3, 8}, {2, 5, 0, 8}}) {
    EXPECT_EQ(rotary(at::empty(shape), angles.cosine, angles.sine, 0).sizes(), at::IntArrayRef(shape));
  }
  EXPECT_EQ(rotary(at::empty({2, 5, 3, 0}), at::empty({5, 0}), at::empty({5, 0}), 0).numel(), 0);
}

TEST(RotaryOp, ResultsDoNotDependOnThreads) {
  at::manual_seed(7);
  const Angles angles = random_angles(200, 34);
  const at::Tensor x = at::randn({3, 200, 7, 34});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = rotary(x, angles.cosine, angles.sine, 0);
  at::set_num_threads(3);
  EXPECT_TRUE(bit_equal(rotary(x, angles.cosine, angles.sine, 0), one));
  at::set_num_threads(before);
}

TEST(RotaryOp, MisuseIsToldInOneSentence) {
  const Angles angles = random_angles(5, 8);
  const auto message = [&](const at::Tensor& x, int64_t start) {
    return tests::usage_error([&] { rotary(x, angles.cosine, angles.sine, start); });
  };
  EXPECT_EQ(message(at::ones({1, 3, 2, 8}), 3),
            "rotary: positions 3 .. 6 are not all among the 5 that cosine and sine hold");
  EXPECT_NE(message(at::ones({1, 3, 2, 8}), -1).find("positions -1"), std::string::npos);
  EXPECT_NE(message(at::ones({1, 3, 2, 7}), 0).find("even D"), std::string::npos);
  EXPECT_NE(message(at::ones({3, 2, 8}), 0).find("[B, T, H, D]"), std::string::npos);
  EXPECT_NE(message(at::ones({1, 3, 2, 6}), 0).find("cosine must be [P, 3] float32"), std::string::npos);
  EXPECT_NE(message(at::ones({1, 3, 2, 8}).to(at::kHalf), 0).find("float32, bfloat16 or float64"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
