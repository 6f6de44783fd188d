// The comparison as plain text for the terminal.
#pragma once

#include <string>
#include <vector>

#include "results/comparison.h"

namespace memlayers::report {

/// Title, one aligned line a variant (parameters, FLOPs, speed, recall, F1, nats), the verdicts at equal tokens, FLOPs
/// and seconds, and the answer in a sentence. Ends with a newline.
std::string terminal_table(const results::Comparison& comparison);

/// Rows under each other, one a line behind `indent`: the first column to the left, the others to the right (`numbers`) or all
/// to the left, two spaces between.
std::string aligned_rows(const std::vector<std::vector<std::string>>& rows, const std::string& indent, bool numbers);

}  // namespace memlayers::report
