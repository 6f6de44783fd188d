// The order of sums along D: the same for a whole row and for rows whose columns are split over processes.
//
// The columns are cut into a power of two of equal blocks, each block is summed by itself, and the blocks' sums are
// added in a balanced binary tree. Half of the columns is then half of the tree, so whoever holds 1/P of them (P a
// power of two, D a multiple of 16 * P) has one number to give, the sum of a row of D/P columns, and the P numbers meet
// in the rest of the tree: bits do not depend on P. Kernel bodies include this file, so everything has internal
// linkage.
#pragma once

#include <cstdint>

namespace memlayers::ops {
namespace {

constexpr int64_t kBlockUnit = 16;  // columns; the lanes of simd/lanes.h

/// As many blocks as leave each a whole number of sixteens: the lowest set bit of D / 16. One where D is no multiple of
/// sixteen. So column_blocks(D) == P * column_blocks(D / P), with blocks of the same columns.
constexpr int64_t column_blocks(int64_t value_dim) {
  const int64_t units = value_dim / kBlockUnit;
  return value_dim % kBlockUnit != 0 || units == 0 ? 1 : units & -units;
}

/// On a device a sum has up to 2^kDeviceTreeLevels blocks: rows of 65,536 columns and more.
constexpr int kDeviceTreeLevels = 12;

/// Adds the sums of a power of two of blocks (or of equal runs of blocks), which come from left to right, in the tree.
/// Sum is anything that has a +: a number, a vector of several rows' sums, a tensor.
template <class Sum>
class BlockTree {
 public:
  inline __attribute__((always_inline)) void add(Sum sum) {
    int level = 0;
    for (uint32_t before = count_++; before & 1; before >>= 1) sum = pending_[level++] + sum;
    total_ = pending_[level] = sum;
  }
  inline __attribute__((always_inline)) const Sum& total() const { return total_; }

 private:
  Sum pending_[32];  // at each level the sum that waits for its right neighbor
  Sum total_{};
  uint32_t count_ = 0;
};

}  // namespace
}  // namespace memlayers::ops
