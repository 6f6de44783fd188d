// AdamW's quotient m / (sqrt(v) / bias + eps) has the bits of a division, however a kernel makes it. A zero gradient,
// rate and biases of one and weights of zero leave just that in the table.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/row_update/row_update.h"
#include "support/seeds.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kRows = 4096, kDim = 2048, kCount = kRows * kDim;  // all significands of float32
constexpr int64_t kStep = 64;                                        // 1 - 0.5^64 is 1 in float32
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// All floats of [1, 2), times `factor`.
at::Tensor all_significands(float factor) {
  const at::Tensor bits = at::arange(kCount, at::kInt) + 0x3F800000;
  return bits.view(at::kFloat).reshape({kRows, kDim}) * factor;
}

/// Over many orders of magnitude, signs as asked.
at::Tensor spread_out(float exponents, bool negative) {
  const at::Tensor size = at::exp2(at::randn({kRows, kDim}) * exponents);
  return negative ? size * at::randn({kRows, kDim}).sign() : size;
}

void expect_quotients(const char* what, const at::Tensor& m, const at::Tensor& v, float eps) {
  at::Tensor table = at::zeros({kRows, kDim});
  RowState state{.exp_avg = m.clone(), .exp_avg_sq = v.clone(), .last_step = {}};
  const RowUpdateOptions options{
      .kind = RowOptimizer::kLazy, .beta1 = 0.5, .beta2 = 0.5, .eps = eps, .weight_decay = 0};
  row_update(table, state, {at::arange(kRows, at::kLong), at::zeros({kRows, kDim})}, kStep,
             std::vector<double>(kStep, 1.0), options);
  const float *first = m.const_data_ptr<float>(), *second = v.const_data_ptr<float>();
  const float* got = table.const_data_ptr<float>();
  int64_t wrong = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const float quotient = (0.5f * first[i] + 0.0f) / (std::sqrt(0.5f * second[i]) + eps);
    const bool same = got[i] == 0.0f - quotient || (std::isnan(quotient) && std::isnan(got[i]));
    if (!same && wrong++ == 0) ADD_FAILURE() << what << ": " << first[i] << ", " << second[i] << " gave " << got[i];
  }
  EXPECT_EQ(wrong, 0) << what;
}

TEST(RowUpdateQuotient, IsRoundedAsADivisionIs) {
  const at::Tensor none = at::zeros({kRows, kDim});
  const float all_ones = std::nextafter(2.0f, 1.0f);  // where a rounded reciprocal is hardest to come by
  expect_quotients("every numerator over 1.11..1", all_significands(1), none, all_ones);
  expect_quotients("every numerator over 1.00..1", all_significands(-3), none, std::nextafter(1.0f, 2.0f));
  expect_quotients("every numerator over 3", all_significands(0.37f), none, 3);
  const at::Tensor ones = at::ones({kRows, kDim}), denominators = all_significands(1);
  expect_quotients("one over every root", ones, denominators.square() * 2, 1e-30f);
  expect_quotients("1.11..1 over every root", ones * all_ones, denominators.square() * 2, 1e-30f);
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    at::manual_seed(seed);
    expect_quotients("near one", spread_out(3, true), spread_out(4, false), 1e-8f);
    expect_quotients("of any size", spread_out(40, true), spread_out(40, false), 1e-8f);
  }
}

TEST(RowUpdateQuotient, ZerosInfinitiesAndNansAreDivided) {
  const float odd[] = {0.0f, -0.0f, 1e-40f, -1e-45f, INFINITY, -INFINITY, kNan, 3e38f, 1e-20f, 1.0f};
  at::Tensor m = spread_out(3, true), v = spread_out(3, false);
  float *first = m.mutable_data_ptr<float>(), *second = v.mutable_data_ptr<float>();
  for (int64_t i = 0; i < kCount; i += 7) first[i] = odd[i / 7 % 10];
  for (int64_t i = 0; i < kCount; i += 11) second[i] = std::fabs(odd[i / 11 % 10]);
  expect_quotients("odd ones", m, v, 1e-8f);
}

}  // namespace
}  // namespace memlayers::ops
