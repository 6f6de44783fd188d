// e^x and log x, of IEEE arithmetic in one written order: the C library's differ between processors. Host and device
// compile this file, and give the same bits. lanes_math.h has e^x of sixteen numbers. Kernel bodies include it, so
// everything has internal linkage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>

#if defined(__CUDACC__)
#define MEMLAYERS_HOST_AND_DEVICE __host__ __device__ __forceinline__
#else
#define MEMLAYERS_HOST_AND_DEVICE inline
#endif

namespace memlayers::ops {
namespace {

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
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  static constexpr float kTerms[] = {1.39261836e-3f, 8.36317905e-3f, 4.16665546e-2f, 1.66665770e-1f, 0.5f};
  static constexpr size_t kCount = std::size(kTerms);
};

template <>
struct Exponential<double> {
  using Word = uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kRound = 6755399441055744.0, kInverse = 1.4426950408889634;
  static constexpr double kHigh = 0.6931471803691238, kLow = 1.9082149292705878e-10;
  static constexpr double kLowest = -708.396, kHighest = 709.43;
  static constexpr double kInfinity = std::numeric_limits<double>::infinity(),
                          kNan = std::numeric_limits<double>::quiet_NaN();
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
  static constexpr size_t kCount = std::size(kTerms);
};

template <class To, class From>
MEMLAYERS_HOST_AND_DEVICE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

/// q * r + the next coefficient, for each. A device knows constants, not arrays of them.
template <size_t term, class T>
MEMLAYERS_HOST_AND_DEVICE T exponential_series(T r, T q) {
  if constexpr (term == Exponential<T>::kCount) {
    return q;
  } else {
    constexpr T kTerm = Exponential<T>::kTerms[term];
    return exponential_series<term + 1>(r, q * r + kTerm);
  }
}

/// e^x of one number: the bits that a lane of lanes_math.h has.
template <class T>
MEMLAYERS_HOST_AND_DEVICE T exponential(T a) {
  using E = Exponential<T>;
  constexpr T kFirst = E::kTerms[0];
  const T shifted = a * E::kInverse + E::kRound, n = shifted - E::kRound;
  const T r = (a - n * E::kHigh) - n * E::kLow;
  const T q = exponential_series<1>(r, kFirst);
  const typename E::Word power = (bits_as<typename E::Word>(shifted) + E::kBias) << E::kMantissa;
  const T y = ((q * r * r + r) + T(1)) * bits_as<T>(power);
  return a < E::kLowest ? T(0) : a > E::kHighest ? E::kInfinity : y;
}

/// log x for 1 <= x < infinity, without the C library's, which differs between processors: x = 2^n m with m near 1, and
/// log m = 2 artanh((m - 1) / (m + 1)).
MEMLAYERS_HOST_AND_DEVICE double logarithm(double x) {
  if (!(x >= 1)) return Exponential<double>::kNan;
  constexpr double kLn2High = Exponential<double>::kHigh, kLn2Low = Exponential<double>::kLow,
                   kRoot2 = 1.4142135623730951;
  const uint64_t bits = bits_as<uint64_t>(x);
  int64_t n = int64_t(bits >> 52) - 1023;
  double m = bits_as<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
  if (m > kRoot2) m *= 0.5, ++n;
  const double s = (m - 1) / (m + 1), square = s * s;
  double series = 0;
  for (int power = 21; power >= 3; power -= 2) series = (series + 1.0 / power) * square;
  return double(n) * kLn2High + (double(n) * kLn2Low + 2 * (s + s * series));
}

}  // namespace
}  // namespace memlayers::ops
