// A step's operations gathered into groups that have names for a reader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluation/comparison.h"

namespace memlayers::evaluation {

struct GroupTime {
  std::string group;
  double seconds = 0;
  std::optional<double> limit_seconds;  // nothing where one of its operations has none
};

/// Groups of all profiles, those first that take longest in any of them, "everything else" last.
std::vector<std::string> group_order(const std::vector<VariantStep>& steps);

/// Sums over the operations of each group of `order`; a group that the step lacks has 0 seconds and no limit.
std::vector<GroupTime> group_times(const profiling::StepProfile& step, const std::vector<std::string>& order);

}  // namespace memlayers::evaluation
