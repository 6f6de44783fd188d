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
#include <utility>

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

/// Sixteen bytes as numbers, signed or not. By instructions: the compiler takes a conversion from bytes apart.
template <bool is_signed>
MEMLAYERS_INLINE Lanes<int32_t> widen_bytes(const void* source) {
#if defined(__AVX512F__)
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(source));
  const __m512i words = is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
  return {{reinterpret_cast<Lanes<int32_t>::Native>(words)}};
#elif defined(__AVX2__)
  Lanes<int32_t> result;
  for (int p = 0; p < 2; ++p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const char*>(source) + 8 * p));
    const __m256i words = is_signed ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
    result.part[p] = reinterpret_cast<Lanes<int32_t>::Native>(words);
  }
  return result;
#elif defined(__x86_64__)
  // Each byte to the top of its word, then down again.
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(source)), zero = _mm_setzero_si128();
  const __m128i halves[2] = {_mm_unpacklo_epi8(zero, bytes), _mm_unpackhi_epi8(zero, bytes)};
  Lanes<int32_t> result;
  for (int p = 0; p < 4; ++p) {
    const __m128i words =
        p % 2 == 0 ? _mm_unpacklo_epi16(zero, halves[p / 2]) : _mm_unpackhi_epi16(zero, halves[p / 2]);
    result.part[p] =
        reinterpret_cast<Lanes<int32_t>::Native>(is_signed ? _mm_srai_epi32(words, 24) : _mm_srli_epi32(words, 24));
  }
  return result;
#else
  int32_t words[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    words[i] = is_signed ? static_cast<const int8_t*>(source)[i] : static_cast<const uint8_t*>(source)[i];
  }
  return load(words);
#endif
}

/// Codes of eight bits.
MEMLAYERS_INLINE Lanes<float> load(const int8_t* source) {
  const Lanes<int32_t> words = widen_bytes<true>(source);
  Lanes<float> result;
  for (int p = 0; p < Lanes<float>::kParts; ++p) {
    result.part[p] = __builtin_convertvector(words.part[p], Lanes<float>::Native);
  }
  return result;
}

/// What multiplies codes of four bits. With AVX-512 that is all of their products, looked up by a code: the same bits,
/// and no conversion.
struct CodeFactor {
  Lanes<float> number;
};
MEMLAYERS_INLINE CodeFactor code_factor(float factor) {
#if defined(__AVX512F__)
  const __m512 codes = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
  return {{{_mm512_mul_ps(_mm512_set1_ps(factor), codes)}}};
#else
  return {broadcast(factor)};
#endif
}

/// The products with sixteen codes of four bits (two's complement): the lower halves of sixteen bytes, or the upper
/// ones.
MEMLAYERS_INLINE Lanes<float> multiply_half_bytes(const CodeFactor& factor, const uint8_t* source, bool upper) {
  const Lanes<int32_t> bytes = widen_bytes<false>(source);
#if defined(__AVX512F__)
  // The lowest four bits of each lane choose a number; the others do not matter.
  const __m512i words = reinterpret_cast<__m512i>(bytes.part[0]);
  return {{_mm512_permutexvar_ps(upper ? _mm512_srli_epi32(words, 4) : words, factor.number.part[0])}};
#else
  Lanes<float> result;
  for (int p = 0; p < Lanes<float>::kParts; ++p) {
    const auto code = bytes.part[p] << (upper ? 24 : 28) >> 28;
    result.part[p] = factor.number.part[p] * __builtin_convertvector(code, Lanes<float>::Native);
  }
  return result;
#endif
}

MEMLAYERS_INLINE float widen(uint16_t bits) {
  const uint32_t word = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &word, sizeof(value));
  return value;
}
MEMLAYERS_INLINE float widen(int8_t code) { return code; }
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

/// sum() of each of several: the same bits. Four are folded together where the registers allow it, which takes a third
/// of the shuffles, and their sums stay in a register, where they can be added to others.
template <class T, int count, bool together = count == 4 && Lanes<T>::kPerPart >= 4>
struct Sums {
  T number[count];

  MEMLAYERS_INLINE Sums operator+(const Sums& other) const {
    Sums result;
    for (int i = 0; i < count; ++i) result.number[i] = number[i] + other.number[i];
    return result;
  }
  MEMLAYERS_INLINE T operator[](int i) const { return number[i]; }
};
template <class T>
struct Sums<T, 4, true> {
  typename Lanes<T>::Native vector;  // a quarter of it a sum: those of 0, 2, 1, 3

  MEMLAYERS_INLINE Sums operator+(const Sums& other) const { return {vector + other.vector}; }
  MEMLAYERS_INLINE T operator[](int i) const {
    constexpr int kQuarter[] = {0, 2, 1, 3};
    return vector[kQuarter[i] * Lanes<T>::kPerPart / 4];
  }
};

/// Both vectors consist of segments of `segment` lanes. Halves of each are added; those of a and b take turns.
template <int segment, class Vector, int... lane>
MEMLAYERS_INLINE Vector add_halves(Vector a, Vector b, std::integer_sequence<int, lane...>) {
  constexpr int kHalf = segment / 2, kCount = sizeof...(lane);
  return __builtin_shufflevector(a, b,
                                 (lane / segment * segment + lane % kHalf + (lane % segment < kHalf ? 0 : kCount))...) +
         __builtin_shufflevector(
             a, b, (lane / segment * segment + lane % kHalf + kHalf + (lane % segment < kHalf ? 0 : kCount))...);
}

template <class T, int count>
MEMLAYERS_INLINE Sums<T, count> sums(const Lanes<T> (&value)[count]) {
  constexpr int kPerPart = Lanes<T>::kPerPart;
  if constexpr (count == 4 && kPerPart >= 4) {
    using Vector = typename Lanes<T>::Native;
    constexpr std::make_integer_sequence<int, kPerPart> kAll;
    Vector v[4];
    for (int i = 0; i < 4; ++i) {
      Lanes<T> all = value[i];
      for (int parts = Lanes<T>::kParts / 2; parts > 0; parts /= 2) {
        for (int p = 0; p < parts; ++p) all.part[p] += all.part[p + parts];
      }
      v[i] = all.part[0];
    }
    const Vector first = add_halves<kPerPart>(v[0], v[1], kAll), second = add_halves<kPerPart>(v[2], v[3], kAll);
    Vector quarters = add_halves<kPerPart / 2>(first, second, kAll);
    if constexpr (kPerPart >= 8) quarters = add_halves<kPerPart / 4>(quarters, quarters, kAll);
    if constexpr (kPerPart >= 16) quarters = add_halves<kPerPart / 8>(quarters, quarters, kAll);
    return {quarters};
  } else {
    Sums<T, count> result;
    for (int i = 0; i < count; ++i) result.number[i] = sum(value[i]);
    return result;
  }
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

/// Lanes as bfloat16 bits.
MEMLAYERS_INLINE void store(uint16_t* target, const Lanes<float>& value) {
  float lane[kLanes];
  store(lane, value);
  for (int i = 0; i < kLanes; ++i) target[i] = narrow(lane[i]);
}

}  // namespace
}  // namespace memlayers::ops
