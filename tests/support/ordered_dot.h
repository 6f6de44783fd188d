// Sums along D by their definition, for comparing bits.
#pragma once

#include <cstdint>

#include "ops/column_blocks.h"

namespace memlayers::tests {

/// A dot product in the order of column_blocks.h, by recursion: halves of the blocks, then lanes.
inline float ordered_dot(const float* left, const float* right, int64_t dim) {
  if (ops::column_blocks(dim) > 1) {
    return ordered_dot(left, right, dim / 2) + ordered_dot(left + dim / 2, right + dim / 2, dim / 2);
  }
  float lane[16] = {};
  for (int64_t c = 0; c < dim; ++c) lane[c % 16] += left[c] * right[c];
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

}  // namespace memlayers::tests
