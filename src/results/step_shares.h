// A step's operations gathered into groups that have names for a reader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/comparison.h"

namespace memlayers::results {

struct GroupTime {
  std::string group;
  double seconds = 0;
  std::optional<double> limit_seconds;  // nothing where one of its operations has none
};

/// Groups of all profiles, those first that take longest in any of them, "everything else" last.
std::vector<std::string> group_order(const std::vector<VariantStep>& steps);

/// Sums over the operations of each group of `order`; a group that the step lacks has 0 seconds and no limit.
std::vector<GroupTime> group_times(const StepProfile& step, const std::vector<std::string>& order);

}  // namespace memlayers::results
