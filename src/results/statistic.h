// Mean and spread of one number over the seeds of a variant.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace memlayers::results {

struct Statistic {
  int64_t count = 0;
  double mean = 0, deviation = 0;  // sample deviation; 0 for fewer than two values
  double lowest = 0, highest = 0;
};

/// All zero for no values.
inline Statistic statistic(const std::vector<double>& values) {
  Statistic result;
  if (values.empty()) return result;
  result.count = static_cast<int64_t>(values.size());
  for (const double value : values) result.mean += value / static_cast<double>(values.size());
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  result.lowest = *lowest;
  result.highest = *highest;
  if (values.size() > 1) {
    double squares = 0;
    for (const double value : values) squares += (value - result.mean) * (value - result.mean);
    result.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  }
  return result;
}

}  // namespace memlayers::results
