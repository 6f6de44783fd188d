// Products of bfloat16 rows on AMX tiles. Only kernel bodies for AMX include this file.
#pragma once

#include <cstdint>

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

/// Eight tiles of 16 rows of 64 bytes, while it lives.
class TileConfiguration {
 public:
  TileConfiguration() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } configuration;
    for (int tile = 0; tile < 8; ++tile) {
      configuration.row_bytes[tile] = 64;
      configuration.rows[tile] = 16;
    }
    _tile_loadconfig(&configuration);
  }
  ~TileConfiguration() { _tile_release(); }
  TileConfiguration(const TileConfiguration&) = delete;
  TileConfiguration& operator=(const TileConfiguration&) = delete;
};

/// Sixteen rows of sixteen 32-bit words, in place.
MEMLAYERS_INLINE void transpose(__m512i row[16]) {
  __m512i half[16];
  for (int i = 0; i < 16; i += 2) {
    half[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    half[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    row[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
    row[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
    row[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
    row[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
  }
  // row[4 g + c] now has, in its quarter q, column 4 q + c of rows 4 g ... 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    half[c] = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88);
    half[4 + c] = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xDD);
    half[8 + c] = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88);
    half[12 + c] = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xDD);
  }
  for (int c = 0; c < 4; ++c) {
    row[c] = _mm512_shuffle_i32x4(half[c], half[8 + c], 0x88);
    row[8 + c] = _mm512_shuffle_i32x4(half[c], half[8 + c], 0xDD);
    row[4 + c] = _mm512_shuffle_i32x4(half[4 + c], half[12 + c], 0x88);
    row[12 + c] = _mm512_shuffle_i32x4(half[4 + c], half[12 + c], 0xDD);
  }
}

/// Sixteen rows of bfloat16, as tiles [padded_dim / 32, 16, 32], to tiles of the second factor: [padded_dim / 2, 16,
/// 2].
MEMLAYERS_INLINE void pack_tiles(const uint16_t* rows, int64_t padded_dim, uint16_t* panel) {
  for (int64_t d = 0; d < padded_dim; d += 32) {
    __m512i row[16];
    for (int64_t i = 0; i < 16; ++i) row[i] = _mm512_load_si512(rows + d * 16 + i * 32);
    transpose(row);
    for (int64_t i = 0; i < 16; ++i) _mm512_store_si512(panel + (d / 2 + i) * 32, row[i]);
  }
}

/// scores [32, 32] at `stride` of 32 rows with two panels that follow each other. rows [2, parts, padded_dim / 32, 16,
/// 32]:
/// parts are added; as tiles, since sixteen rows a power of two apart would compete for places in the cache.
MEMLAYERS_INLINE void multiply_tiles(const uint16_t* rows, int64_t parts, const uint16_t* panels, int64_t padded_dim,
                                     float* scores, int64_t stride) {
  const uint16_t *lower_rows = rows + 16 * parts * padded_dim, *second_panel = panels + 16 * padded_dim;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t d = 0; d < padded_dim; d += 32) {
    _tile_loadd(6, panels + d * 16, 64);
    _tile_loadd(7, second_panel + d * 16, 64);
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t tile = (part * padded_dim + d) * 16;
      _tile_loadd(4, rows + tile, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, lower_rows + tile, 64);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, scores, stride * 4);
  _tile_stored(1, scores + 16, stride * 4);
  _tile_stored(2, scores + 16 * stride, stride * 4);
  _tile_stored(3, scores + 16 * stride + 16, stride * 4);
}

}  // namespace
}  // namespace memlayers::ops
