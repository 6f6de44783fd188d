// Products of rows with a matrix packed in panels of kKeysPerPanel rows, few or many at a time. Only kernel bodies
// include this file.
//
// Each dot product is summed in the order of its dimensions, lanes are the matrix's rows, so that a product does not
// depend on which other rows are multiplied with it. Product and sum are rounded once where the instruction set has
// that.
#pragma once

#include <cstdint>

#include "ops/product_key_topk/product_key_topk_kernel.h"
#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int kLanesPerPanel = int(kKeysPerPanel) / kLanes;
constexpr int64_t kRowsAhead = 32;  // of a panel
static_assert(kKeysPerPanel == 2 * kLanes);

/// As many rows as their sums fill the registers: 32 with AVX-512, otherwise 16.
template <class T>
constexpr int kTile = kVectorBytes == 64   ? 48 / int(sizeof(T))
                      : kVectorBytes == 32 ? 8 / int(sizeof(T))
                                           : 1;
template <class T>
constexpr int kSmallTile = kTile<T> > 4 ? 4 : 1;

/// `tile` rows, packed [dim, tile], with one panel; emit(row, lane group, sixteen products).
template <int tile, class T, class Emit>
MEMLAYERS_INLINE void multiply_tile(const T* packed, const T* panel, int64_t dim, const Emit& emit) {
  Lanes<T> total[tile][kLanesPerPanel];
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) total[t][l] = broadcast(T{0});
  }
  for (int64_t d = 0; d < dim; ++d) {
    const T* row = panel + d * kKeysPerPanel;
    // Runs on into the next panel, which the first tile would otherwise wait for.
    for (int64_t b = 0; b < kKeysPerPanel * int64_t(sizeof(T)); b += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(row + kRowsAhead * kKeysPerPanel) + b);
    }
    const Lanes<T> low = load(row), high = load(row + kLanes);
    for (int t = 0; t < tile; ++t) {
      const Lanes<T> factor = broadcast(packed[d * tile + t]);
      total[t][0] = multiply_add(factor, low, total[t][0]);
      total[t][1] = multiply_add(factor, high, total[t][1]);
    }
  }
  for (int t = 0; t < tile; ++t) {
    for (int l = 0; l < kLanesPerPanel; ++l) emit(t, l, total[t][l]);
  }
}

/// Rows [tile, dim] at `stride` -> [dim, tile].
template <class T>
void pack_tile(const T* rows, int64_t stride, int tile, int64_t dim, T* packed) {
  for (int64_t d = 0; d < dim; ++d) {
    for (int t = 0; t < tile; ++t) packed[d * tile + t] = rows[t * stride + d];
  }
}

/// `count` rows [count, dim] at `stride` with panels [num_panels, dim, kKeysPerPanel]. `packed` has room for a copy of
/// the rows. emit(row, column, the products of columns column ... column + 15).
template <class T, class Emit>
MEMLAYERS_INLINE void multiply_panels(const T* rows, int64_t stride, int64_t count, int64_t dim, const T* panels,
                                      int64_t num_panels, T* packed, const Emit& emit) {
  const auto tile_at = [count](int64_t t) {
    return count - t >= kTile<T> ? kTile<T> : count - t >= kSmallTile<T> ? kSmallTile<T> : 1;
  };
  for (int64_t t = 0; t < count; t += tile_at(t)) {
    pack_tile(rows + t * stride, stride, tile_at(t), dim, packed + t * dim);
  }
  for (int64_t p = 0; p < num_panels; ++p) {
    const T* panel = panels + p * dim * kKeysPerPanel;
    int64_t t = 0;
    const auto emit_tile = [&](int row, int group, const Lanes<T>& products) {
      emit(t + row, p * kKeysPerPanel + group * kLanes, products);
    };
    for (; t + kTile<T> <= count; t += kTile<T>) multiply_tile<kTile<T>>(packed + t * dim, panel, dim, emit_tile);
    for (; t + kSmallTile<T> <= count; t += kSmallTile<T>) {
      multiply_tile<kSmallTile<T>>(packed + t * dim, panel, dim, emit_tile);
    }
    for (; t < count; ++t) multiply_tile<1>(packed + t * dim, panel, dim, emit_tile);
  }
}

}  // namespace
}  // namespace memlayers::ops
