// The order of a squared norm. Rows are taken sixteen at a time: the squares of each block of columns (column_blocks.h)
// go through sixteen lanes, row after row, which are then added up. The sums of a block are added from the first rows
// to the last, and the blocks' totals meet in the tree. So rows of which somebody holds 1/P of the columns have 1/P of
// the tree as their squared norm, and the bits depend neither on P nor on threads.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/column_blocks.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kSquaredRows = 16;

/// How many runs of kSquaredRows rows there are; the last may be shorter.
constexpr int64_t squared_runs(int64_t rows) { return (rows + kSquaredRows - 1) / kSquaredRows; }

/// The squared norm out of sums [runs of rows, blocks].
inline double total_of_squares(const std::vector<double>& sums, int64_t blocks) {
  std::vector<double> of_block(static_cast<size_t>(blocks));
  for (size_t i = 0; i < sums.size(); ++i) of_block[i % of_block.size()] += sums[i];
  BlockTree<double> tree;
  for (double sum : of_block) tree.add(sum);
  return tree.total();
}

}  // namespace
}  // namespace memlayers::ops
