// Tables of text for the terminal.
#pragma once

#include <string>
#include <vector>

namespace memlayers::report {

/// Rows under each other, one a line behind `indent`: the first column to the left, the others to the right (`numbers`)
/// or all to the left, two spaces between.
std::string aligned_rows(const std::vector<std::vector<std::string>>& rows, const std::string& indent, bool numbers);

/// `text` without control characters: names must not move the cursor or color the terminal.
std::string printable(std::string text);

}  // namespace memlayers::report
