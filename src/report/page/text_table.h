// Tables of text for the terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace memlayers::report {

constexpr size_t kAllLeft = SIZE_MAX;

/// Rows under each other, one a line behind `indent`: the first `left` columns to the left, the others (numbers) to the
/// right, two spaces between.
std::string aligned_rows(const std::vector<std::vector<std::string>>& rows, const std::string& indent, size_t left = 1);

/// `text` without control characters: names must not move the cursor or color the terminal.
std::string printable(std::string text);

}  // namespace memlayers::report
