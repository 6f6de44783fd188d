// Line, bar and stacked charts as inline SVG: axes with round ticks, a legend, bands and whiskers for the spread over
// seeds.
//
// A chart is drawn 480 units wide, so that its text stays readable when a telephone scales it to its own width.
// Colors are CSS variables (--series-0 ..., --ink, --muted, --grid, --card) that the page defines for light and dark;
// every series also has a marker shape of its own, so no chart depends on telling colors apart.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace memlayers::report {

inline constexpr double kChartWidth = 480;
/// The page defines --series-0 to --series-8; further series start over.
inline constexpr int kChartColors = 9;
inline constexpr int kMutedColor = -1;

struct ChartAxis {
  std::string label;
  bool logarithmic = false;                 // points at or below zero are left out
  std::optional<double> low, high;          // else from the data, widened to round numbers on y
  std::function<std::string(double)> text;  // of a tick; empty: shortest decimal
};

struct ChartPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;  // the band's edges at x; equal: no band
  std::string note;          // shown when pointed at
};

struct LineSeries {
  std::string name;
  int color = 0;                   // kMutedColor: a reference line
  int dash = 0;                    // 0 solid, 1 to 3 patterns
  bool markers = true;             // false: the line alone, told apart by its dash
  std::vector<ChartPoint> points;  // in order of x; points that are not finite are left out
  std::string end_label;           // beside the last point; empty: none
};

struct LineChart {
  std::string id, title, description;  // id: unique in the page; title and description are read to who cannot see it
  ChartAxis x, y;
  std::vector<LineSeries> series;
};

struct Bar {
  double value = 0, low = 0, high = 0;  // whisker from low to high; equal: none
  std::string text;                     // beside the bar
};

struct BarSeries {
  std::string name;
  int color = 0;
  std::vector<std::optional<Bar>> bars;  // one a group; nothing: no bar
};

/// Horizontal bars that start at zero, one group of bars under another, as many in a group as there are series.
struct BarChart {
  std::string id, title, description;
  ChartAxis value;
  std::vector<std::string> groups;
  std::vector<BarSeries> series;
};

/// One bar of a stacked chart, in parts from left to right.
struct StackedBar {
  std::string name;
  std::vector<double> parts;       // beside the chart's parts; what is not above zero is left out
  std::vector<std::string> notes;  // shown when a part is pointed at
  std::string text;                // beside the bar
};

/// Horizontal bars on one scale, each the sum of its parts. Parts are numbered, in the legend and where they are wide
/// enough.
struct StackedChart {
  struct Part {
    std::string name;
    int color = 0;
  };
  std::string id, title, description;
  ChartAxis value;
  std::vector<Part> parts;
  std::vector<StackedBar> bars;
};

/// A whole <svg> element, well-formed XML. A chart without a point says "no data".
std::string line_chart_svg(const LineChart& chart);
std::string bar_chart_svg(const BarChart& chart);
std::string stacked_chart_svg(const StackedChart& chart);

/// Multiples of 1, 2 or 5 times a power of ten inside [low, high], about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count);
/// Powers of ten inside [low, high], with their doubles and fives where there are fewer than three powers.
std::vector<double> log_ticks(double low, double high);

}  // namespace memlayers::report
