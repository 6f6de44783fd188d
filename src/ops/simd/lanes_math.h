// What norms and activations need beside simd/lanes.h: differences, quotients, tails that are written, and e^x. All of
// it is IEEE arithmetic in one written order, so that every instruction set gives the same bits.
#pragma once

#include <cstddef>
#include <iterator>
#include <limits>

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

template <class T>
MEMLAYERS_INLINE Lanes<T> operator-(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] -= b.part[p];
  return a;
}

template <class T>
MEMLAYERS_INLINE Lanes<T> operator/(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] /= b.part[p];
  return a;
}

/// The first `count` (< 16) lanes.
template <class T, class Row>
MEMLAYERS_INLINE void store_tail(Row* target, const Lanes<T>& value, int64_t count) {
  Row buffer[kLanes];
  store(buffer, value);
  for (int64_t i = 0; i < count; ++i) target[i] = buffer[i];
}

// e^x = 2^n * e^r with n = round(x / ln 2) and |r| <= ln(2) / 2. ln 2 comes in two parts, the higher so short that n *
// high is exact; e^r = 1 + r + r^2 * q(r), where q interpolates in Chebyshev nodes. Adding 1.5 * 2^mantissa rounds to
// an integer and leaves it in the low bits, from where it is shifted into an exponent.
template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  using Word = uint32_t;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kRound = 12582912.0f, kInverse = 1.44269504f, kHigh = 0.693145751953125f,
                         kLow = 1.42860677e-6f;
  static constexpr float kLowest = -87.3365f, kHighest = 88.37f;  // results stay normal, powers of two representable
  static constexpr float kTerms[] = {1.39261836e-3f, 8.36317905e-3f, 4.16665546e-2f, 1.66665770e-1f, 0.5f};
};

template <>
struct Exponential<double> {
  using Word = uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kRound = 6755399441055744.0, kInverse = 1.4426950408889634;
  static constexpr double kHigh = 0.6931471803691238, kLow = 1.9082149292705878e-10;
  static constexpr double kLowest = -708.396, kHighest = 709.43;
  static constexpr double kTerms[] = {2.0914686968086877e-9,
                                      2.5105217004720746e-8,
                                      2.7557273643110295e-7,
                                      2.7557255400206424e-6,
                                      2.4801587325547742e-5,
                                      1.9841269874820625e-4,
                                      1.3888888888883748e-3,
                                      8.3333333333261351e-3,
                                      4.1666666666669670e-2,
                                      1.6666666666666671e-1,
                                      0.5};
};

/// e^x to 2 units in the last place between kLowest and kHighest; 0 below (minus infinity too), infinity above, NaN for
/// NaN. e^0 is exactly 1.
template <class T>
MEMLAYERS_INLINE Lanes<T> exponential(Lanes<T> x) {
  using E = Exponential<T>;
  using Vector = typename Lanes<T>::Native;
  using Word = typename NativeVector<typename E::Word>::type;
  for (int p = 0; p < Lanes<T>::kParts; ++p) {
    const Vector a = x.part[p];
    const Vector shifted = a * E::kInverse + E::kRound;
    const Vector n = shifted - E::kRound;
    const Vector r = (a - n * E::kHigh) - n * E::kLow;
    Vector q = E::kTerms[0] - Vector{};
    for (size_t i = 1; i < std::size(E::kTerms); ++i) q = q * r + E::kTerms[i];
    const Word power = (reinterpret_cast<Word>(shifted) + E::kBias) << E::kMantissa;
    Vector y = ((q * r * r + r) + T(1)) * reinterpret_cast<Vector>(power);
    y = a < E::kLowest ? Vector{} : y;
    x.part[p] = a > E::kHighest ? std::numeric_limits<T>::infinity() - Vector{} : y;
  }
  return x;
}

/// e^x of one number: the same bits as a lane has.
template <class T>
MEMLAYERS_INLINE T exponential(T x) {
  T lane[kLanes];
  store(lane, exponential(broadcast(x)));
  return lane[0];
}

}  // namespace
}  // namespace memlayers::ops
