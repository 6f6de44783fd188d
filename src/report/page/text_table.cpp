#include "report/page/text_table.h"

#include <algorithm>

#include "results/number_text.h"

namespace memlayers::report {
namespace {

std::string padding(const std::string& cell, size_t width) {
  const size_t own = results::display_width(cell);
  return std::string(width > own ? width - own : 0, ' ');
}

}  // namespace

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return text;
}

std::string aligned_rows(const std::vector<std::vector<std::string>>& rows, const std::string& indent, size_t left) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], results::display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad = padding(row[i], widths[i]);
      line += (i == 0 ? "" : "  ") + (i < left ? row[i] + pad : pad + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace memlayers::report
