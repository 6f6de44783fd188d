// Rows as bfloat16, and how far off their products are. Only kernel bodies for AMX include this file.
//
// With q = q' + dq and key = key' + dk, primes narrowed, the real value of a score differs from q' * key' by at most
// |dq| |key| + |q'| |dk|, in Euclidean norms; to this come float32's rounding errors of both ways to sum.
#pragma once

#include <cmath>
#include <cstdint>

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

/// What the error bound needs of a vector, or the largest of several vectors.
struct Norms {
  float whole = 0, lost = 0;  // Euclidean norms of the vector and of what narrowing takes from it

  void include(const Norms& other) {
    // NaN stays: it makes the bound useless, as it must.
    whole = whole >= other.whole || whole != whole ? whole : other.whole;
    lost = lost >= other.lost || lost != lost ? lost : other.lost;
  }
};

/// `source` [dim] as a sum of `parts` bfloat16 rows [padded_dim], zeros behind: one of sixteen rows of tiles, whose 32
/// numbers each lie 512 apart. Returns sums of squares.
MEMLAYERS_INLINE Norms narrow_row(const float* source, int64_t dim, int64_t padded_dim, int64_t parts,
                                  uint16_t* target) {
  __m512 whole = _mm512_setzero_ps(), lost = whole;
  for (int64_t d = 0; d < padded_dim; d += kLanes) {
    const int64_t left = dim - d;
    const __mmask16 mask = left >= kLanes ? 0xFFFF : left <= 0 ? 0 : __mmask16((1u << left) - 1);
    __m512 left_over = _mm512_maskz_loadu_ps(mask, source + d);
    whole = _mm512_fmadd_ps(left_over, left_over, whole);
    for (int64_t part = 0; part < parts; ++part) {
      const __m256i bits = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(left_over));
      _mm256_store_si256(reinterpret_cast<__m256i*>(target + part * 16 * padded_dim + d / 32 * 512 + d % 32), bits);
      const __m512 taken = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
      left_over = _mm512_sub_ps(left_over, taken);
    }
    lost = _mm512_fmadd_ps(left_over, left_over, lost);
  }
  return {_mm512_reduce_add_ps(whole), _mm512_reduce_add_ps(lost)};
}

/// From sums of squares; rounded up, and by as much as squares may have underflowed.
Norms norms_of(const Norms& squares, int64_t dim) {
  const double grow = 1 + double(dim) * 0x1p-22, least = double(dim) * 0x1p-124;
  return {float(std::sqrt(squares.whole * grow + least) * (1 + 0x1p-20)),
          float(std::sqrt(squares.lost * grow + least) * (1 + 0x1p-20))};
}

/// How far two scores of one token and half may be off.
struct Errors {
  double norm;   // no score is larger
  double score;  // of a score of bfloat16 products, to the definition's

  Errors(const Norms& query, const Norms& keys, int64_t dim) {
    norm = double(query.whole) * keys.whole * (1 + 0x1p-6);
    const double rounding = double(dim + 64) * (0x1p-22 * norm + 0x1p-118);  // of both ways to sum in float32
    score = double(query.lost) * keys.whole + (double(query.whole) + query.lost) * keys.lost + rounding;
  }
  bool usable() const { return norm < 0x1p120; }
};

}  // namespace
}  // namespace memlayers::ops
