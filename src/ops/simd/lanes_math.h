// What norms and activations need beside simd/lanes.h: differences, quotients, tails that are written, and e^x. All of
// it is IEEE arithmetic in one written order, so that every instruction set gives the same bits.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>

#include "ops/simd/lanes.h"
#include "ops/simd/scalar_math.h"

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
    for (size_t i = 1; i < E::kCount; ++i) q = q * r + E::kTerms[i];
    const Word power = (reinterpret_cast<Word>(shifted) + E::kBias) << E::kMantissa;
    Vector y = ((q * r * r + r) + T(1)) * reinterpret_cast<Vector>(power);
    y = a < E::kLowest ? Vector{} : y;
    x.part[p] = a > E::kHighest ? E::kInfinity - Vector{} : y;
  }
  return x;
}

/// The sum of e^(x - largest) of a row; with `keep` the row becomes those numbers.
template <bool keep, class T>
T exponential_sum(std::conditional_t<keep, T, const T>* row, int64_t size, T largest) {
  const Lanes<T> shift = broadcast(largest);
  Lanes<T> total = broadcast(T{0});
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    const Lanes<T> e = exponential(load<T>(row + i) - shift);
    if constexpr (keep) store(row + i, e);
    total = total + e;
  }
  if (i < size) {
    T rest[kLanes];
    for (T& value : rest) value = -std::numeric_limits<T>::infinity();
    std::memcpy(rest, row + i, size_t(size - i) * sizeof(T));
    const Lanes<T> e = exponential(load<T>(rest) - shift);
    if constexpr (keep) store_tail(row + i, e, size - i);
    total = total + e;
  }
  return sum(total);
}

}  // namespace
}  // namespace memlayers::ops
