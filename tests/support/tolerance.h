// How far a result may be from its double-precision reference. All tolerances of tests of sums live here.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace memlayers::tests {

/// Relative and absolute tolerance of composed float32 results (torch's own defaults).
inline constexpr double kFloatRelative = 1.3e-6, kFloatAbsolute = 1e-5;
/// The same for bfloat16.
inline constexpr double kBfloat16Relative = 1.6e-2, kBfloat16Absolute = 1e-5;
/// Central differences in float64 with a step of 1e-6: truncation and cancellation, relative to the largest gradient.
inline constexpr double kGradcheck = 1e-7;

/// Bound of a float32 sum of `terms` products: terms * eps * sum |x| |y|, the classical one for any order of adding.
/// `absolute_sum` holds sum |x| |y| in double.
inline at::Tensor sum_bound(const at::Tensor& absolute_sum, int64_t terms) {
  const double eps = std::numeric_limits<float>::epsilon();
  return absolute_sum * (static_cast<double>(terms + 1) * eps) + std::numeric_limits<float>::min();
}

/// Every |actual - expected| is at most its bound.
inline ::testing::AssertionResult within(const at::Tensor& actual, const at::Tensor& expected,
                                         const at::Tensor& bound) {
  if (actual.sizes() != expected.sizes()) {
    return ::testing::AssertionFailure() << "shapes " << actual.sizes() << " and " << expected.sizes();
  }
  const at::Tensor excess = (actual.to(at::kDouble) - expected.to(at::kDouble)).abs() - bound;
  if (actual.numel() == 0 || excess.le(0).all().item<bool>()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "exceeds the bound by " << excess.max().item<double>();
}

/// Same shape, dtype and bits (a NaN equals itself).
inline ::testing::AssertionResult bit_equal(const at::Tensor& actual, const at::Tensor& expected) {
  if (actual.sizes() != expected.sizes() || actual.dtype() != expected.dtype()) {
    return ::testing::AssertionFailure() << actual.sizes() << " " << actual.dtype() << " and " << expected.sizes()
                                         << " " << expected.dtype();
  }
  if (actual.numel() == 0) return ::testing::AssertionSuccess();
  const at::Tensor a = actual.detach().contiguous(), b = expected.detach().contiguous();
  if (std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0) return ::testing::AssertionSuccess();
  const at::Tensor different = (a != b).flatten();
  return ::testing::AssertionFailure() << different.sum().item<int64_t>() << " of " << a.numel() << " differ, first at "
                                       << different.to(at::kInt).argmax().item<int64_t>();
}

}  // namespace memlayers::tests
