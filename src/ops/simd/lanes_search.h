// What a search among scores needs beside simd/lanes.h: comparisons as bits, ranks by counting, the marked few of many.
#pragma once

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

template <class T>
MEMLAYERS_INLINE Lanes<T> smaller(Lanes<T> a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) a.part[p] = a.part[p] < b.part[p] ? a.part[p] : b.part[p];
  return a;
}

// By shuffles, as fold() in lanes.h.
template <class T, class Vector>
MEMLAYERS_INLINE T largest_of(Vector v) {
  constexpr size_t count = sizeof(v) / sizeof(T);
  const auto upper = [](auto a, auto b) { return a > b ? a : b; };
  if constexpr (count == 16) {
    return largest_of<T>(upper(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
                               __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)));
  } else if constexpr (count == 8) {
    return largest_of<T>(upper(__builtin_shufflevector(v, v, 0, 1, 2, 3), __builtin_shufflevector(v, v, 4, 5, 6, 7)));
  } else if constexpr (count == 4) {
    return largest_of<T>(upper(__builtin_shufflevector(v, v, 0, 1), __builtin_shufflevector(v, v, 2, 3)));
  } else {
    return v[0] > v[1] ? v[0] : v[1];
  }
}

/// The largest of sixteen.
template <class T>
MEMLAYERS_INLINE T largest(Lanes<T> value) {
  for (int parts = Lanes<T>::kParts / 2; parts > 0; parts /= 2) {
    for (int p = 0; p < parts; ++p) {
      value.part[p] = value.part[p] > value.part[p + parts] ? value.part[p] : value.part[p + parts];
    }
  }
  return largest_of<T>(value.part[0]);
}

/// Bits of one register: where a >= b.
template <class T>
MEMLAYERS_INLINE uint32_t part_at_least(typename Lanes<T>::Native a, typename Lanes<T>::Native b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
  } else {
    return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ);
  }
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
  } else {
    return uint32_t(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GE_OQ)));
  }
#elif defined(__x86_64__)
  if constexpr (sizeof(T) == 4) {
    return uint32_t(_mm_movemask_ps(_mm_cmpge_ps(a, b)));
  } else {
    return uint32_t(_mm_movemask_pd(_mm_cmpge_pd(a, b)));
  }
#else
  uint32_t bits = 0;
  for (int i = 0; i < Lanes<T>::kPerPart; ++i) bits |= uint32_t(a[i] >= b[i]) << i;
  return bits;
#endif
}

/// Bit i is set where lane i of a is at least lane i of b.
template <class T>
MEMLAYERS_INLINE uint32_t at_least_bits(const Lanes<T>& a, const Lanes<T>& b) {
  uint32_t bits = 0;
  for (int p = 0; p < Lanes<T>::kParts; ++p) bits |= part_at_least<T>(a.part[p], b.part[p]) << (p * Lanes<T>::kPerPart);
  return bits;
}

/// Sixteen counters as wide as the numbers they go with.
template <class T>
struct Counts {
  using Word = decltype(typename Lanes<T>::Native{} < typename Lanes<T>::Native{});
  Word part[Lanes<T>::kParts] = {};
};

/// Adds one where a >= b.
template <class T>
MEMLAYERS_INLINE void count_at_least(Counts<T>& counts, const Lanes<T>& a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) counts.part[p] -= a.part[p] >= b.part[p];
}

/// Adds one where a > b.
template <class T>
MEMLAYERS_INLINE void count_above(Counts<T>& counts, const Lanes<T>& a, const Lanes<T>& b) {
  for (int p = 0; p < Lanes<T>::kParts; ++p) counts.part[p] -= a.part[p] > b.part[p];
}

/// Adds one where a > b, and where a == b in the lanes behind `lane`.
template <class T>
MEMLAYERS_INLINE void count_before(Counts<T>& counts, const Lanes<T>& a, const Lanes<T>& b, int lane) {
  using Word = typename Counts<T>::Word;
  Word number;
  for (int i = 0; i < Lanes<T>::kPerPart; ++i) number[i] = i;
  for (int p = 0; p < Lanes<T>::kParts; ++p) {
    const Word behind = number + p * Lanes<T>::kPerPart > lane;
    counts.part[p] -= (a.part[p] > b.part[p]) | ((a.part[p] == b.part[p]) & behind);
  }
}

/// target[places[i]] = source[i] for the first `count` (<= 16) of sixteen.
template <class T, class Number>
MEMLAYERS_INLINE void scatter(Number* target, const Counts<T>& places, const Number* source, int64_t count) {
  for (int64_t i = 0; i < count; ++i) target[places.part[i / Lanes<T>::kPerPart][i % Lanes<T>::kPerPart]] = source[i];
}

#if defined(__AVX512F__)
MEMLAYERS_INLINE void count_where(Counts<float>& counts, __mmask16 mask) {
  const __m512i count = reinterpret_cast<__m512i>(counts.part[0]);
  counts.part[0] =
      reinterpret_cast<Counts<float>::Word>(_mm512_mask_add_epi32(count, mask, count, _mm512_set1_epi32(1)));
}
template <>
MEMLAYERS_INLINE void count_at_least(Counts<float>& counts, const Lanes<float>& a, const Lanes<float>& b) {
  count_where(counts, _mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_GE_OQ));
}
template <>
MEMLAYERS_INLINE void count_above(Counts<float>& counts, const Lanes<float>& a, const Lanes<float>& b) {
  count_where(counts, _mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_GT_OQ));
}
template <>
MEMLAYERS_INLINE void count_before(Counts<float>& counts, const Lanes<float>& a, const Lanes<float>& b, int lane) {
  const uint32_t above = _mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_GT_OQ);
  const uint32_t at_least = _mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_GE_OQ);
  count_where(counts, __mmask16(above | (at_least & (~1u << lane))));
}
template <>
MEMLAYERS_INLINE void scatter(float* target, const Counts<float>& places, const float* source, int64_t count) {
  _mm512_mask_i32scatter_ps(target, __mmask16((1u << count) - 1), reinterpret_cast<__m512i>(places.part[0]),
                            _mm512_loadu_ps(source), sizeof(float));
}
template <>
MEMLAYERS_INLINE void scatter(int32_t* target, const Counts<float>& places, const int32_t* source, int64_t count) {
  _mm512_mask_i32scatter_epi32(target, __mmask16((1u << count) - 1), reinterpret_cast<__m512i>(places.part[0]),
                               _mm512_loadu_si512(source), sizeof(int32_t));
}
#endif

/// Sixteen of the 32 numbers at `table`.
template <class T>
MEMLAYERS_INLINE Lanes<T> pick(const T* table, const int32_t* places) {
  T lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = table[places[i]];
  return load(lane);
}
#if defined(__AVX512F__)
template <>
MEMLAYERS_INLINE Lanes<float> pick(const float* table, const int32_t* places) {
  return {{_mm512_permutex2var_ps(_mm512_loadu_ps(table), _mm512_loadu_si512(places), _mm512_loadu_ps(table + 16))}};
}
#endif

/// Appends those of sixteen numbers whose bit is set, and their positions from `first` on; returns how many. The lists
/// need room for sixteen.
template <class T>
MEMLAYERS_INLINE int append_marked(const Lanes<T>& source, int32_t first, uint32_t bits, T* numbers,
                                   int32_t* positions) {
  T lane[kLanes];
  if (bits != 0) store(lane, source);
  int count = 0;
  for (; bits != 0; bits &= bits - 1, ++count) {
    const int i = __builtin_ctz(bits);
    numbers[count] = lane[i];
    positions[count] = first + i;
  }
  return count;
}
#if defined(__AVX512F__)
template <>
MEMLAYERS_INLINE int append_marked(const Lanes<float>& source, int32_t first, uint32_t bits, float* numbers,
                                   int32_t* positions) {
  const __mmask16 mask = __mmask16(bits);
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  // Compressed in a register, then stored whole: a compressing store is slow on some processors.
  _mm512_storeu_ps(numbers, _mm512_maskz_compress_ps(mask, source.part[0]));
  _mm512_storeu_si512(positions, _mm512_maskz_compress_epi32(mask, _mm512_add_epi32(lane, _mm512_set1_epi32(first))));
  return __builtin_popcount(bits);
}
#endif

}  // namespace
}  // namespace memlayers::ops
