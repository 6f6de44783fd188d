// Sixteen numbers at a time, with one meaning on every instruction set.
//
// The width is 16 lanes whatever the registers hold: one AVX-512, two AVX or four SSE registers of floats. So sums
// along a row are taken in the same order everywhere, and results do not depend on the processor. Only kernel bodies
// include this file; everything has internal linkage, so that builds for different instruction sets share no code.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

namespace memlayers::ops {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kLanes = 16;

#define MEMLAYERS_INLINE inline __attribute__((always_inline))

template <class T, int bytes = kVectorBytes>
struct NativeVector {
  typedef T type __attribute__((vector_size(bytes)));
};

template <class T>
struct Lanes {
  using Native = typename NativeVector<T>::type;
  static constexpr int kPerPart = kVectorBytes / int(sizeof(T));
  static constexpr int kParts = kLanes / kPerPart;
  Native part[kParts];
};

template <class T>
MEMLAYERS_INLINE Lanes<T> broadcast(T value) {
  Lanes<T> result;
  for (int p = 0; p < Lanes<T>::kParts; ++p) result.part[p] = value - typename Lanes<T>::Native{};
  return result;
}

// Part by part: a copy of all sixteen at once would go through memory where it takes several registers.
template <class T>
MEMLAYERS_INLINE Lanes<T> load(const T* source) {
  Lanes<T> result;
  for (int p = 0; p < Lanes<T>::kParts; ++p) {
    std::memcpy(&result.part[p], source + p * Lanes<T>::kPerPart, sizeof(result.part[p]));
  }
  return result;
}

/// bfloat16 bits, widened to float.
MEMLAYERS_INLINE Lanes<float> load(const uint16_t* source) {
  using Half = NativeVector<uint16_t, kVectorBytes / 2>::type;
  using Word = NativeVector<uint32_t>::type;
  Lanes<float> result;
  for (int p = 0; p < Lanes<float>::kParts; ++p) {
    Half half;
    std::memcpy(&half, source + p * Lanes<float>::kPerPart, sizeof(half));
    result.part[p] = reinterpret_cast<Lanes<float>::Native>(__builtin_convertvector(half, Word) << 16);
  }
  return result;
}

MEMLAYERS_INLINE float widen(uint16_t bits) {
  const uint32_t word = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}
MEMLAYERS_INLINE float widen(float value) { return value; }
MEMLAYERS_INLINE double widen(double value) { return value; }

/// The first `count` (< 16) numbers, the other lanes zero.
template <class T, class Row>
MEMLAYERS_INLINE Lanes<T> load_tail(const Row* source, int64_t count) {
  T buffer[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) buffer[i] = widen(source[i]);
  return load(buffer);
}

template <class T>
MEMLAYERS_INLINE void store(T* target, const Lanes<T>& value) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) {
    std::memcpy(target + p * Lanes<T>::kPerPart, &value.part[p], sizeof(value.part[p]));
  }
}

template <class T>
MEMLAYERS_INLINE Lanes<T> operator+(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] += b.part[p];
  return a;
}

template <class T>
MEMLAYERS_INLINE Lanes<T> operator*(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] *= b.part[p];
  return a;
}

/// a * b + c, rounded once where the instruction set has it, else twice. For dot products only: where results must not
/// depend on the instruction set, use * and +.
template <class T>
MEMLAYERS_INLINE Lanes<T> multiply_add(const Lanes<T>& a, const Lanes<T>& b, Lanes<T> c) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
      c.part[p] = _mm512_fmadd_ps(a.part[p], b.part[p], c.part[p]);
    } else {
      c.part[p] = _mm512_fmadd_pd(a.part[p], b.part[p], c.part[p]);
    }
#elif defined(__FMA__)
    if constexpr (sizeof(T) == 4) {
      c.part[p] = _mm256_fmadd_ps(a.part[p], b.part[p], c.part[p]);
    } else {
      c.part[p] = _mm256_fmadd_pd(a.part[p], b.part[p], c.part[p]);
    }
#else
    c.part[p] += a.part[p] * b.part[p];
#endif
  }
  return c;
}

/// Products of the lower 32 bits of each 64-bit lane.
using Words = NativeVector<uint64_t>::type;
MEMLAYERS_INLINE Words multiply_low_halves(Words a, Words b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Words>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
  return reinterpret_cast<Words>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF);
#endif
}

// By shuffles: written as a loop over an array, it goes through memory and waits for each store.
template <class T, class Vector>
MEMLAYERS_INLINE T fold(Vector v) {
  constexpr size_t count = sizeof(v) / sizeof(T);
  if constexpr (count == 16) {
    return fold<T>(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
  } else if constexpr (count == 8) {
    return fold<T>(__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7));
  } else if constexpr (count == 4) {
    return fold<T>(__builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3));
  } else {
    return v[0] + v[1];
  }
}

/// Halves added until one number is left: the fixed order of every sum along a row.
template <class T>
MEMLAYERS_INLINE T sum(Lanes<T> value) {
  for (int parts = Lanes<T>::kParts / 2; parts > 0; parts /= 2) {
    for (int p = 0; p < parts; ++p) value.part[p] += value.part[p + parts];
  }
  return fold<T>(value.part[0]);
}
/// NaN becomes `replacement`.
template <class T>
MEMLAYERS_INLINE Lanes<T> replace_nan(Lanes<T> a, const Lanes<T>& replacement) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] = a.part[p] == a.part[p] ? a.part[p] : replacement.part[p];
  return a;
}

template <class T>
MEMLAYERS_INLINE Lanes<T> larger(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] = a.part[p] > b.part[p] ? a.part[p] : b.part[p];
  return a;
}

/// bfloat16 bits of a float, rounded to nearest even.
MEMLAYERS_INLINE uint16_t narrow(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (value != value) return uint16_t((bits >> 16) | 0x40);
  return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/// Sixteen floats to bfloat16 bits.
MEMLAYERS_INLINE void store_narrow(uint16_t* target, const Lanes<float>& value) {
  float lane[kLanes];
  store(lane, value);
  for (int i = 0; i < kLanes; ++i) target[i] = narrow(lane[i]);
}

}  // namespace
}  // namespace memlayers::ops
