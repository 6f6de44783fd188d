// The models that bench trains and decodes with: a comparison's dense variant, its first one with memory layers alone,
// and those with experts alone.
#pragma once

#include <filesystem>
#include <vector>

#include "bench/catalog.h"

namespace memlayers::cli {

/// Of one comparison's file. Throws UsageError where it has no dense or no memory variant.
bench::Twins twins_of(const std::filesystem::path& comparison);

/// The quickstart's and those of 30 M dense parameters, from configs/ of the working folder or of the checkout that
/// this program was built in; with `quick` the quickstart's only. Throws UsageError where they are not found.
std::vector<bench::Twins> usual_twins(bool quick);

}  // namespace memlayers::cli
