#include "ops/product_key_topk/pair_shapes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace memlayers::ops {
namespace {

constexpr double kWidest = 1.5;  // r from 2^-1.5 to 2^1.5

/// Columns of each row of the shape of k pairs; empty where the listed ranks are too few.
std::vector<int> grown_shape(int64_t k, double r) {
  std::vector<int> columns(PairShapes::kListed);
  for (int64_t pair = 0; pair < k; ++pair) {
    int best = -1;
    double best_cost = 0;
    for (int i = 0; i < PairShapes::kListed; ++i) {
      if (i > 0 && columns[i - 1] == 0) break;
      if (columns[i] == (i > 0 ? columns[i - 1] : PairShapes::kListed)) continue;
      const double cost = r * std::log(i + 1.0) + std::log(columns[i] + 1.0) / r;
      if (best < 0 || cost < best_cost) best = i, best_cost = cost;
    }
    if (best < 0) return {};
    ++columns[best];
  }
  return columns;
}

}  // namespace

PairShapes make_pair_shapes(int64_t k) {
  PairShapes shapes{.k = k, .num_corners = 0, .first = {}, .second = {}};
  if (k > PairShapes::kListed * PairShapes::kMostCorners) return shapes;
  for (int s = 0; s < PairShapes::kShapes; ++s) {
    const std::vector<int> columns = grown_shape(k, std::exp2(kWidest * (2.0 * s / (PairShapes::kShapes - 1) - 1)));
    int corners = 0;
    for (int i = 0; i < int(columns.size()) && columns[i] > 0; ++i) {
      if (i + 1 < PairShapes::kListed && columns[i + 1] == columns[i]) continue;
      if (corners == PairShapes::kMostCorners) return {.k = k, .num_corners = 0, .first = {}, .second = {}};
      shapes.first[corners][s] = i;
      shapes.second[corners][s] = columns[i] - 1;
      ++corners;
    }
    if (corners == 0) return {.k = k, .num_corners = 0, .first = {}, .second = {}};
    for (int c = corners; c < PairShapes::kMostCorners; ++c) {
      shapes.first[c][s] = shapes.first[corners - 1][s];
      shapes.second[c][s] = shapes.second[corners - 1][s];
    }
    shapes.num_corners = std::max(shapes.num_corners, corners);
  }
  return shapes;
}

}  // namespace memlayers::ops
