#include "report/experiment/terminal_text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "results/number_text.h"
#include "support/comparison_fixture.h"

namespace memlayers::report {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : lines_of(text)) {
    if (line.find(part) != std::string::npos) return line;
  }
  return {};
}

TEST(TerminalTable, AlignsItsColumns) {
  const auto lines = lines_of(report::terminal_table(tests::fixture::comparison(3)));
  ASSERT_GT(lines.size(), 5U);
  EXPECT_TRUE(lines[2].starts_with("model "));
  EXPECT_EQ(results::display_width(lines[2]), results::display_width(lines[3]));
  EXPECT_EQ(results::display_width(lines[3]), results::display_width(lines[4]));
  EXPECT_TRUE(lines[3].starts_with("Dense "));
  EXPECT_TRUE(lines[4].starts_with("Memory+ "));
}

TEST(TerminalTable, GivesTheVerdictAtEqualTokensFlopsAndSeconds) {
  const std::string table = report::terminal_table(tests::fixture::comparison(3));
  EXPECT_NE(line_with(table, "equal tokens").find("Memory+ leads Dense by 23.0 points"), std::string::npos) << table;
  EXPECT_NE(line_with(table, "equal FLOPs").find("Memory+ leads Dense"), std::string::npos) << table;
  EXPECT_NE(line_with(table, "equal seconds").find("Dense leads Memory+"), std::string::npos) << table;
  EXPECT_NE(line_with(table, "equal tokens").find(" ± "), std::string::npos) << table;
}

TEST(TerminalTable, ShowsNoSpreadForOneSeed) {
  const std::string table = report::terminal_table(tests::fixture::comparison(1));
  EXPECT_EQ(table.find("±"), std::string::npos) << table;
  EXPECT_NE(table.find("one seed"), std::string::npos) << table;
}

TEST(TerminalTable, KeepsControlCharactersOffTheTerminal) {
  results::Comparison comparison = tests::fixture::comparison(1);
  comparison.title = "\x1b[31mred";
  for (auto& run : comparison.runs) run.variant += "\x1b[2J";
  EXPECT_EQ(report::terminal_table(comparison).find('\x1b'), std::string::npos);
}

TEST(TerminalTable, StaysShortWhenNothingRan) {
  EXPECT_EQ(report::terminal_table(results::Comparison{}), "No run has finished yet.\n");
}

}  // namespace
}  // namespace memlayers::report
