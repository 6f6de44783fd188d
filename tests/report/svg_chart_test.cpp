#include "report/charts/svg_chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "results/number_text.h"
#include "support/markup.h"

namespace memlayers::report {
namespace {

report::LineChart two_lines() {
  report::LineChart chart{"c", "Title", "Description", {"x", false, 0.0, {}, {}}, {"y", false, 0.0, {}, {}}, {}};
  chart.series = {{"first", 0, 0, true, {{0, 0, 0, 0, ""}, {10, 1, 0.9, 1.1, "note"}}, "1.0"},
                  {"second", 1, 0, true, {{0, 0, 0, 0, ""}, {10, 1, 1, 1, ""}}, "1.0"}};
  return chart;
}

std::vector<double> numbers(const std::string& text, const std::string& pattern) {
  std::vector<double> found;
  const std::regex expression(pattern);
  for (auto match = std::sregex_iterator(text.begin(), text.end(), expression); match != std::sregex_iterator();
       ++match) {
    found.push_back(std::stod((*match)[1]));
  }
  return found;
}

TEST(NiceTicks, AreRoundAndInside) {
  EXPECT_EQ(report::nice_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(report::nice_ticks(0, 3.07, 5), (std::vector<double>{0, 0.5, 1, 1.5, 2, 2.5, 3}));
  EXPECT_EQ(report::nice_ticks(-12, 27, 4), (std::vector<double>{-10, 0, 10, 20}));
  EXPECT_TRUE(report::nice_ticks(1, 1, 5).empty());
  EXPECT_TRUE(report::nice_ticks(0, std::numeric_limits<double>::infinity(), 5).empty());
}

TEST(LogTicks, ArePowersOfTenAndMoreWhereTheseAreFew) {
  EXPECT_EQ(report::log_ticks(1, 1000), (std::vector<double>{1, 10, 100, 1000}));
  EXPECT_EQ(report::log_ticks(1, 10), (std::vector<double>{1, 2, 5, 10}));
  EXPECT_TRUE(report::log_ticks(0, 10).empty());
}

TEST(LineChart, IsAccessibleWellFormedMarkup) {
  const std::string svg = report::line_chart_svg(two_lines());
  EXPECT_EQ(tests::markup_fault(svg), "");
  EXPECT_NE(svg.find("role=\"img\""), std::string::npos);
  EXPECT_NE(svg.find("<title id=\"c-title\">Title</title>"), std::string::npos);
  EXPECT_NE(svg.find("<desc id=\"c-desc\">Description</desc>"), std::string::npos);
  EXPECT_EQ(tests::occurrences(svg, "<polyline"), 2U);
  EXPECT_EQ(tests::occurrences(svg, "class=\"band\""), 1U) << "only the first series has a spread";
}

TEST(LineChart, EscapesWhatItIsGiven) {
  report::LineChart chart = two_lines();
  chart.title = "<script>&\"'";
  chart.series[0].name = "a<b>";
  chart.x.label = "\x01<&>\xff";
  chart.series[0].points[1].note = "</title>";
  const std::string svg = report::line_chart_svg(chart);
  EXPECT_EQ(tests::markup_fault(svg), "");
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_NE(svg.find("a&lt;b&gt;"), std::string::npos);
}

TEST(LineChart, PutsPointsWhereTheAxesSay) {
  report::LineChart chart = two_lines();
  chart.series.resize(1);
  chart.series[0].points = {{0, 0, 0, 0, ""}, {5, 1, 1, 1, ""}, {10, 2, 2, 2, ""}};
  const std::string svg = report::line_chart_svg(chart);
  std::smatch match;
  ASSERT_TRUE(std::regex_search(
      svg, match, std::regex("<polyline[^>]*points=\"([\\d.]+),([\\d.]+) ([\\d.]+),([\\d.]+) ([\\d.]+),([\\d.]+)\"")));
  EXPECT_NEAR(std::stod(match[3]) - std::stod(match[1]), std::stod(match[5]) - std::stod(match[3]), 0.11);
  EXPECT_NEAR(std::stod(match[4]) - std::stod(match[2]), std::stod(match[6]) - std::stod(match[4]), 0.11);
  EXPECT_LT(std::stod(match[6]), std::stod(match[2])) << "up is less in SVG";
}

TEST(LineChart, DrawsEqualFactorsAtEqualDistancesOnALogarithmicAxis) {
  report::LineChart chart = two_lines();
  chart.x.low.reset();
  chart.x.logarithmic = true;
  chart.series = {
      {"round markers", 1, 0, true, {{0, 5, 5, 5, ""}, {1, 1, 1, 1, ""}, {10, 1, 1, 1, ""}, {100, 1, 1, 1, ""}}, ""}};
  const std::string svg = report::line_chart_svg(chart);
  const std::vector<double> x =
      numbers(svg, "cx=\"([\\d.]+)\" cy=\"[\\d.]+\" r=\"4\" class=\"marker\" style=\"[^\"]*\"></circle>");
  ASSERT_EQ(x.size(), 4U) << "the legend's and three: zero has no place on the axis";
  EXPECT_NEAR(x[2] - x[1], x[3] - x[2], 0.11);
}

TEST(LineChart, KeepsEndLabelsApart) {
  const std::vector<double> y =
      numbers(report::line_chart_svg(two_lines()), "y=\"([\\d.]+)\" text-anchor=\"start\" class=\"value\"");
  ASSERT_EQ(y.size(), 2U);
  EXPECT_GE(std::abs(y[1] - y[0]), 14);
}

TEST(LineChart, BeginsWhereItIsToldToAlsoWhenAllIsZero) {
  report::LineChart chart = two_lines();
  for (auto& series : chart.series) {
    for (auto& point : series.points) point.y = point.low = point.high = 0;
  }
  EXPECT_EQ(report::line_chart_svg(chart).find(">-"), std::string::npos) << "no negative tick";
}

TEST(LineChart, MarksEndLabelsThatHadToMove) {
  report::LineChart chart = two_lines();
  const size_t together = tests::occurrences(report::line_chart_svg(chart), "class=\"marker\"");
  chart.series[1].points[1] = {10, 0.1, 0.1, 0.1, ""};
  EXPECT_EQ(tests::occurrences(report::line_chart_svg(chart), "class=\"marker\""), together - 2);
}

TEST(LineChart, StaysInsideItsFrameWithSinglePointsAndFlatLines) {
  report::LineChart chart = two_lines();
  chart.x.low.reset();
  chart.y.low.reset();
  chart.series = {{"one", 0, 0, true, {{3, 7, 7, 7, ""}}, "7"}, {"flat", 1, 0, true, {{3, 7, 7, 7, ""}}, "7"}};
  const std::string svg = report::line_chart_svg(chart);
  EXPECT_EQ(tests::markup_fault(svg), "");
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  for (const double x : numbers(svg, "cx=\"(-?[\\d.]+)\"")) EXPECT_TRUE(x > 0 && x < report::kChartWidth) << x;
}

TEST(LineChart, LeavesOutWhatIsNotFiniteAndSaysWhenNothingIsLeft) {
  report::LineChart chart = two_lines();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  chart.series[0].points[1].y = nan;
  EXPECT_EQ(report::line_chart_svg(chart).find("nan"), std::string::npos);
  for (auto& series : chart.series) {
    for (auto& point : series.points) point.y = nan;
  }
  EXPECT_NE(report::line_chart_svg(chart).find("no data"), std::string::npos);
  EXPECT_EQ(tests::markup_fault(report::line_chart_svg(chart)), "");
}

report::BarChart two_groups() {
  report::BarChart chart{"b", "Bars", "Described", {"share", false, {}, {}, {}}, {"one", "two"}, {}};
  chart.series = {{"first", 0, {report::Bar{0.5, 0.4, 0.6, "50%"}, report::Bar{0.25, 0.25, 0.25, "25%"}}},
                  {"second", 1, {report::Bar{0.75, 0.75, 0.75, "75%"}, std::nullopt}}};
  return chart;
}

TEST(BarChart, DrawsLengthsInProportion) {
  const std::string svg = report::bar_chart_svg(two_groups());
  EXPECT_EQ(tests::markup_fault(svg), "");
  std::vector<double> widths =
      numbers(svg, "width=\"([\\d.]+)\" height=\"13\" style=\"fill:var\\(--series-\\d\\)\"><title>");
  ASSERT_EQ(widths.size(), 3U) << "a bar that is not there is not drawn";
  EXPECT_NEAR(widths[0], 2 * widths[2], 0.2);
  EXPECT_NEAR(widths[1], 3 * widths[2], 0.3);
  EXPECT_EQ(tests::occurrences(svg, "class=\"whisker\""), 3U) << "one whisker: a line and its two ends";
}

TEST(BarChart, ShortensLongNamesAndKeepsThemInTheNote) {
  report::BarChart chart = two_groups();
  chart.groups[0] = std::string(80, 'n');
  const std::string svg = report::bar_chart_svg(chart);
  EXPECT_NE(svg.find("…</text>"), std::string::npos);
  EXPECT_NE(svg.find("<title>" + chart.groups[0] + ", first: 50%</title>"), std::string::npos);
}

TEST(BarChart, SaysWhenThereIsNothingToDraw) {
  EXPECT_NE(report::bar_chart_svg(report::BarChart{"b", "t", "d", {}, {}, {}}).find("no data"), std::string::npos);
}

report::StackedChart two_bars() {
  return {"s",
          "t",
          "d",
          {"ms", false, 0.0, {}, {}},
          {{"first", 0}, {"second", 1}},
          {{"short", {2, 1}, {"two", "one"}, "3"}, {"long", {2, 4}, {"2", "4"}, "6"}}};
}

TEST(StackedChart, DrawsPartsInProportionOneAfterAnother) {
  const std::string svg = report::stacked_chart_svg(two_bars());
  EXPECT_EQ(tests::markup_fault(svg), "");
  const std::vector<double> left = numbers(svg, "<rect x=\"([\\d.]+)\" y=\"[\\d.]+\" width=\"[\\d.]+\" height=\"26\"");
  const std::vector<double> width = numbers(svg, "width=\"([\\d.]+)\" height=\"26\"");
  ASSERT_EQ(width.size(), 4U);
  EXPECT_NEAR(width[0], 2 * width[1], 0.2);
  EXPECT_NEAR(width[2], width[0], 0.1) << "one scale for both bars";
  EXPECT_NEAR(width[3], 2 * width[2], 0.2);
  EXPECT_NEAR(left[1], left[0] + width[0], 0.15);
  EXPECT_NE(svg.find("<title>one</title>"), std::string::npos);
}

TEST(StackedChart, NumbersItsPartsInTheLegendAndWhereTheyAreWideEnough) {
  report::StackedChart chart = two_bars();
  chart.bars[1].parts[0] = 0.01;
  const std::string svg = report::stacked_chart_svg(chart);
  EXPECT_EQ(tests::occurrences(svg, ">2 second</text>"), 1U);
  EXPECT_EQ(tests::occurrences(svg, "class=\"value\">1</text>"), 1U);
  EXPECT_EQ(tests::occurrences(svg, "class=\"value\">2</text>"), 2U);
}

TEST(StackedChart, SaysWhenThereIsNothingToDraw) {
  EXPECT_NE(report::stacked_chart_svg(report::StackedChart{"b", "t", "d", {}, {}, {}}).find("no data"),
            std::string::npos);
  report::StackedChart chart = two_bars();
  for (report::StackedBar& bar : chart.bars) bar.parts.assign(2, std::nan(""));
  EXPECT_NE(report::stacked_chart_svg(chart).find("no data"), std::string::npos);
}

TEST(EscapeMarkup, LetsNoMarkupControlCharacterOrBrokenUtf8Through) {
  EXPECT_EQ(results::escape_markup("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(results::escape_markup(std::string("a\0\x1b[31m\x7f", 8)), "a[31m");
  EXPECT_EQ(results::escape_markup("Åland €"), "Åland €");
  EXPECT_EQ(results::escape_markup("\xc3"), "\xEF\xBF\xBD");
  EXPECT_EQ(results::escape_markup("\xed\xa0\x80x"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx") << "a surrogate";
  EXPECT_EQ(results::escape_markup("\xc0\xbc"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong <";
}

TEST(Numbers, ReadAsPeopleWriteThem) {
  EXPECT_EQ(results::percent_text(0.643), "64.3%");
  EXPECT_EQ(results::percent_text(-0.0001), "0.0%");
  EXPECT_EQ(results::points_text(-0.1234), "12.3");
  EXPECT_EQ(results::metric_text(3'072'000), "3.07 M");
  EXPECT_EQ(results::metric_text(999'950), "1.00 M");
  EXPECT_EQ(results::metric_text(41), "41");
  EXPECT_EQ(results::metric_text(0), "0");
  EXPECT_EQ(results::metric_text(2.33e13), "23.3 T");
  EXPECT_EQ(results::spoken_count(3'072'000), "3.07 million");
  EXPECT_EQ(results::spoken_count(8'100), "8,100");
  EXPECT_EQ(results::count_text(1'234'567), "1,234,567");
  EXPECT_EQ(results::count_text(-1'234), "-1,234");
  EXPECT_EQ(results::count_text(123), "123");
  EXPECT_EQ(results::seconds_text(45), "45 s");
  EXPECT_EQ(results::seconds_text(400), "6 min 40 s");
  EXPECT_EQ(results::seconds_text(7'500), "2 h 5 min");
  EXPECT_EQ(results::decimal_text(std::nan(""), 2), "n/a");
}

}  // namespace
}  // namespace memlayers::report
