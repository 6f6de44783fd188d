// What all kinds of chart share: scales, text, legend, the <svg> element.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/charts/svg_chart.h"

namespace memlayers::report::svg {

/// What the layout leaves room for; the page draws text at 13 units, and at this size where it shrinks a chart to a
/// telephone.
inline constexpr double kTextSize = 14.5;
inline constexpr double kLegendRow = 20;
/// Names beside horizontal bars.
inline constexpr double kWidestLabel = 165, kLabelLine = 15;

/// At most one decimal, as charts need: "12.5", "7".
std::string coordinate(double value);
/// Upper estimate of a text's width in units (system fonts differ), regular and bold.
double text_width(std::string_view text);
double bold_width(std::string_view text);
/// `text` cut with an ellipsis so that it fits `width`.
std::string fitted(const std::string& text, double width);

/// Values of an axis onto [start, end] of the drawing.
struct Scale {
  double low = 0, high = 1, start = 0, end = 1;
  bool logarithmic = false;
  double operator()(double value) const;
};

std::string tick_text(const ChartAxis& axis, double value);
/// The ticks of `axis` over [low, high].
std::vector<double> axis_ticks(const ChartAxis& axis, double low, double high);
/// The smallest range that begins and ends at ticks and holds [low, high]; widened where the two are equal, downwards
/// only where the axis does not say where it begins.
std::pair<double, double> widened_to_ticks(const ChartAxis& axis, double low, double high);

std::string text_element(double x, double y, std::string_view anchor, std::string_view style, std::string_view text);
std::string line_element(double x1, double y1, double x2, double y2, std::string_view style);
/// A small shape (square, circle, triangle, diamond, then hollow: by color) with an optional note shown when pointed
/// at.
std::string marker(double x, double y, int color, const std::string& note = {});
std::string color_variable(int color);
/// The class of a curve: "line", "line dash-1", ...
std::string line_class(int dash);

struct LegendEntry {
  std::string name;
  int color = 0;
  bool line = false;    // a line, or else a filled square
  bool marker = false;  // on the line
  int dash = 0;
};
struct Legend {
  std::string markup;
  double height = 0;
};
/// Entries from left to right, wrapped into rows.
Legend legend(const std::vector<LegendEntry>& entries, double left);

/// The name of a row of bars, ending at `right`: one line, or two where it is too long for one and has a space to break
/// at.
std::string row_label(const std::string& name, double right, double middle);
/// Grid lines from `top` to `bottom` with their ticks and the axis' label below: the scale of horizontal bars.
std::string value_axis(const ChartAxis& axis, const Scale& scale, double top, double bottom);

/// The element around `body`, with title and description.
std::string frame(const std::string& id, const std::string& title, const std::string& description, double height,
                  const std::string& body);
std::string no_data(const std::string& id, const std::string& title, const std::string& description);

}  // namespace memlayers::report::svg
