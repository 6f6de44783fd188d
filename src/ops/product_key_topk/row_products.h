// Scores of a few sub-keys that lie apart. Only kernel bodies for AMX include this file.
#pragma once

#include <algorithm>

#include "ops/product_key_topk/score_list.h"
#include "ops/product_key_topk/tile_products.h"

namespace memlayers::ops {
namespace {

/// The dot products of `query` with sixteen rows, each summed in the order of its dimensions.
MEMLAYERS_INLINE __m512 products_in_order(const float* query, const float* const row[16], int64_t dim) {
  __m512 total = _mm512_setzero_ps();
  int64_t d = 0;
  for (; d + 16 <= dim; d += 16) {
    __m512i block[16];
    for (int i = 0; i < 16; ++i) block[i] = _mm512_loadu_si512(row[i] + d);
    transpose(block);
    for (int i = 0; i < 16; ++i) {
      total = _mm512_fmadd_ps(_mm512_set1_ps(query[d + i]), _mm512_castsi512_ps(block[i]), total);
    }
  }
  for (; d < dim; ++d) {
    float column[16];
    for (int i = 0; i < 16; ++i) column[i] = row[i][d];
    total = _mm512_fmadd_ps(_mm512_set1_ps(query[d]), _mm512_loadu_ps(column), total);
  }
  return total;
}

/// Scores of some sub-keys as the definition sums them.
void score_in_order(const float* query, const float* keys, int64_t dim, const int32_t* numbers, int64_t count,
                    float* scores) {
  const Lanes<float> lowest = broadcast(kLowest<float>);
  for (int64_t first = 0; first < count; first += kLanes) {
    const float* row[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) row[i] = keys + numbers[std::min(first + i, count - 1)] * dim;
    store(scores + first, replace_nan(Lanes<float>{{products_in_order(query, row, dim)}}, lowest));
  }
}

}  // namespace
}  // namespace memlayers::ops
