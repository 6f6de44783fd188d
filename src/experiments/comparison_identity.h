// When an output folder may be continued, and where what lies in it came from.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/compare_config.h"
#include "results/comparison.h"

namespace memlayers::experiments {

/// What must be equal for an output folder to be continued: all but its place, its prose, what is only looked at, and
/// how many variants and seeds there are.
nlohmann::ordered_json identity(const ComparePlan& plan);

/// The identity stored in `path` with what `now` adds to it: variants that are not there yet. Throws UsageError where
/// they contradict each other, IoError where the file is damaged.
nlohmann::ordered_json joined_identity(const std::filesystem::path& path, const nlohmann::ordered_json& now);

/// Machine, commit and date of the comparison: the different ones of its runs, the first and the last day.
void set_origin(results::Comparison& comparison);

}  // namespace memlayers::experiments
