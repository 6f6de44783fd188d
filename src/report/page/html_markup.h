// Pieces of HTML that are well-formed XML too. What is called text is escaped here, what is called markup is not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace memlayers::report {

/// Cells are plain text; the first of a row is its heading.
struct Table {
  std::string caption;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

namespace html {

/// <name attributes>markup</name>
std::string element(std::string_view name, std::string_view attributes, std::string_view markup);
/// `text` with each number and its unit kept on one line: "6 min", "3.07 M", "64% ± 0.3".
std::string glued(std::string_view text);
std::string paragraph(std::string_view style, std::string_view text);
/// A section with its heading.
std::string section(std::string_view heading_text, std::string_view markup);
/// A box that scrolls inside itself where the screen is too narrow, also by keyboard; `label` is markup.
std::string scrolling(std::string_view label, std::string_view markup, std::string_view style = "scroll");
std::string details(std::string_view summary_text, std::string_view markup);
/// Inside of a scrolling box of that style.
std::string table(const Table& table, std::string_view style = "scroll");

}  // namespace html
}  // namespace memlayers::report
