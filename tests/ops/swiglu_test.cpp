#include "ops/swiglu/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/swiglu/swiglu_kernel.h"
#include "ops/swiglu/swiglu_reference.h"
#include "support/gradcheck.h"
#include "support/seeds.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

struct Result {
  at::Tensor y, gate, up;
};

template <class Op>
Result run(const Op& op, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& grad) {
  const at::Tensor g = gate.detach().requires_grad_(true), u = up.detach().requires_grad_(true);
  const at::Tensor y = op(g, u);
  y.backward(grad);
  return {y.detach(), g.grad(), u.grad()};
}

TEST(Swiglu, EqualsTheReferenceInDouble) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    for (int64_t size : {1, 15, 16, 17, 33, 1000}) {
      const at::Tensor gate = at::randn({size}) * 5, up = at::randn({size}), grad = at::randn({size});
      const Result actual = run(swiglu, gate, up, grad);
      const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
      const Result expected = run(swiglu_reference, wide(gate), wide(up), wide(grad));
      // e^x is good to 2 units, and no more than eight roundings follow; 1 + g * (1 - s) may cancel.
      const double unit = 10 * std::numeric_limits<float>::epsilon();
      EXPECT_TRUE(tests::within(actual.y, expected.y, expected.y.abs() * unit)) << size;
      EXPECT_TRUE(tests::within(actual.up, expected.up, expected.up.abs() * unit)) << size;
      const at::Tensor sigmoid = at::sigmoid(wide(gate));
      const at::Tensor terms = (wide(grad) * wide(up) * sigmoid).abs() * (1 + (wide(gate) * (1 - sigmoid)).abs());
      EXPECT_TRUE(tests::within(actual.gate, expected.gate, terms * unit)) << size;
    }
  }
}

TEST(Swiglu, GradientsEqualCentralDifferences) {
  at::manual_seed(2);
  const auto op = [](const std::vector<at::Tensor>& in) { return swiglu(in[0], in[1]); };
  EXPECT_LT(tests::gradient_error(op, {at::randn({3, 7}, at::kDouble) * 3, at::randn({3, 7}, at::kDouble)}),
            tests::kGradcheck);
}

TEST(Swiglu, LargeGatesSaturateAndNanStays) {
  const at::Tensor gate = at::tensor({100.0f, -100.0f, 3e38f, -3e38f, 0.0f, NAN}), up = at::full({6}, 2.0f);
  const Result result = run(swiglu, gate, up, at::ones({6}));
  EXPECT_TRUE(result.y.narrow(0, 0, 2).equal(at::tensor({200.0f, 0.0f})));
  EXPECT_TRUE(result.y.narrow(0, 3, 2).equal(at::zeros({2})));
  EXPECT_TRUE(result.gate.narrow(0, 0, 5).equal(at::tensor({2.0f, 0.0f, 2.0f, 0.0f, 1.0f})));
  EXPECT_TRUE(std::isnan(result.y[5].item<float>()) && std::isnan(result.gate[5].item<float>()));
}

TEST(Swiglu, Bfloat16IsComputedInFloat32AndRoundedOnce) {
  at::manual_seed(3);
  const auto narrow = [] { return at::randn({101}).to(at::kBFloat16); };
  const at::Tensor gate = narrow(), up = narrow(), grad = narrow();
  const Result actual = run(swiglu, gate, up, grad);
  const Result expected = run(swiglu, gate.to(at::kFloat), up.to(at::kFloat), grad.to(at::kFloat));
  EXPECT_TRUE(bit_equal(actual.y, expected.y.to(at::kBFloat16)));
  EXPECT_TRUE(bit_equal(actual.gate, expected.gate.to(at::kBFloat16)));
  EXPECT_TRUE(bit_equal(actual.up, expected.up.to(at::kBFloat16)));
}

TEST(Swiglu, TakesStridedAndEmptyInputs) {
  at::manual_seed(4);
  const at::Tensor gate = at::randn({5, 9}).t(), up = at::randn({9, 5}), grad = at::randn({5, 9}).t();
  const Result strided = run(swiglu, gate, up, grad);
  const Result packed = run(swiglu, gate.contiguous(), up, grad.contiguous());
  EXPECT_TRUE(bit_equal(strided.y, packed.y));
  EXPECT_TRUE(bit_equal(strided.gate, packed.gate));
  EXPECT_TRUE(bit_equal(strided.up, packed.up));
  EXPECT_EQ(run(swiglu, at::empty({0, 3}), at::empty({0, 3}), at::empty({0, 3})).gate.sizes(), at::IntArrayRef({0, 3}));
}

TEST(Swiglu, EveryInstructionSetGivesTheSameBits) {
  at::manual_seed(5);
  const at::Tensor gate = at::randn({333}) * 20, up = at::randn({333}), grad = at::randn({333});
  const Result actual = run(swiglu, gate, up, grad);
  at::Tensor y = at::empty({333}), grad_gate = at::empty({333}), grad_up = at::empty({333});
  const auto in = [](const at::Tensor& t) { return t.const_data_ptr<float>(); };
  const auto out = [](at::Tensor& t) { return t.mutable_data_ptr<float>(); };
  baseline::kSwigluKernel.float32.forward(in(gate), in(up), out(y), 0, 333);
  baseline::kSwigluKernel.float32.backward(in(grad), in(gate), in(up), out(grad_gate), out(grad_up), 0, 333);
  EXPECT_TRUE(bit_equal(actual.y, y));
  EXPECT_TRUE(bit_equal(actual.gate, grad_gate));
  EXPECT_TRUE(bit_equal(actual.up, grad_up));
}

TEST(Swiglu, ResultsDoNotDependOnThreads) {
  at::manual_seed(6);
  const at::Tensor gate = at::randn({100'003}), up = at::randn({100'003}), grad = at::randn({100'003});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = run(swiglu, gate, up, grad);
  at::set_num_threads(3);
  const Result many = run(swiglu, gate, up, grad);
  at::set_num_threads(before);
  EXPECT_TRUE(bit_equal(many.y, one.y));
  EXPECT_TRUE(bit_equal(many.gate, one.gate));
  EXPECT_TRUE(bit_equal(many.up, one.up));
}

TEST(Swiglu, MisuseIsToldInOneSentence) {
  const at::Tensor gate = at::ones({2, 3});
  const auto message = [&](const at::Tensor& up) { return tests::usage_error([&] { swiglu(gate, up); }); };
  EXPECT_EQ(message(at::ones({3})), "swiglu: up must be like gate [2, 3] float, got [3] float");
  EXPECT_NE(message(at::ones({2, 3}, at::kDouble)).find("up must be like gate"), std::string::npos);
  EXPECT_EQ(tests::usage_error([&] { swiglu(gate.to(at::kLong), gate.to(at::kLong)); }),
            "swiglu: gate must be float32, bfloat16 or float64, got long int");
}

}  // namespace
}  // namespace memlayers::ops
