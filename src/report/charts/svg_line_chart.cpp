#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/charts/svg_frame.h"

namespace memlayers::report {
namespace {

using svg::coordinate;

constexpr double kPlotHeight = 220;
constexpr double kLabelRow = 18;     // the y axis' label, above the plot
constexpr double kBottom = 48;       // ticks and label of the x axis
constexpr double kMarkerRoom = 15;   // of a marker before an end label
constexpr size_t kMostMarkers = 24;  // of a series; with more, only its last point has one

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

bool drawable(const LineChart& chart, const ChartPoint& point) {
  const auto fits = [](const ChartAxis& axis, double value) {
    return std::isfinite(value) && (!axis.logarithmic || value > 0);
  };
  return fits(chart.x, point.x) && fits(chart.y, point.y);
}

/// The chart without what cannot be drawn; a band edge that cannot be drawn becomes the point itself.
LineChart cleaned(LineChart chart) {
  for (LineSeries& series : chart.series) {
    std::erase_if(series.points, [&](const ChartPoint& point) { return !drawable(chart, point); });
    for (ChartPoint& point : series.points) {
      const auto bad = [&](double edge) { return !std::isfinite(edge) || (chart.y.logarithmic && edge <= 0); };
      if (point.low == point.high || bad(point.low) || bad(point.high)) point.low = point.high = point.y;
    }
  }
  std::erase_if(chart.series, [](const LineSeries& series) { return series.points.empty(); });
  return chart;
}

struct Layout {
  svg::Scale x, y;
  double height = 0;
};

Layout layout_of(const LineChart& chart, double legend_height) {
  Range x, y;
  double end_label = 0;
  for (const LineSeries& series : chart.series) {
    end_label = std::max(end_label, svg::bold_width(series.end_label));
    for (const ChartPoint& point : series.points) {
      x.add(point.x);
      y.add(point.low);
      y.add(point.high);
    }
  }
  const auto [bottom, top] = svg::widened_to_ticks(chart.y, chart.y.low.value_or(y.low), chart.y.high.value_or(y.high));
  double left_x = chart.x.low.value_or(x.low), right_x = chart.x.high.value_or(x.high);
  if (right_x <= left_x) std::tie(left_x, right_x) = svg::widened_to_ticks(chart.x, left_x, left_x);
  double tick_width = 0;
  for (const double tick : svg::axis_ticks(chart.y, bottom, top)) {
    tick_width = std::max(tick_width, svg::text_width(svg::tick_text(chart.y, tick)));
  }
  const double plot_top = legend_height + kLabelRow + 6;
  Layout layout;
  layout.x = {left_x, right_x, tick_width + 10,
              kChartWidth - std::max(24.0, end_label + (end_label > 0 ? 9 + kMarkerRoom : 0)), chart.x.logarithmic};
  layout.y = {bottom, top, plot_top + kPlotHeight, plot_top, chart.y.logarithmic};
  layout.height = plot_top + kPlotHeight + kBottom;
  return layout;
}

std::string axes(const LineChart& chart, const Layout& layout) {
  std::string out;
  for (const double tick : svg::axis_ticks(chart.y, layout.y.low, layout.y.high)) {
    const double y = layout.y(tick);
    out += svg::line_element(layout.x.start, y, layout.x.end, y, "grid");
    out += svg::text_element(layout.x.start - 6, y + 4.5, "end", "tick", svg::tick_text(chart.y, tick));
  }
  double free_from = -1e9;
  for (const double tick : svg::axis_ticks(chart.x, layout.x.low, layout.x.high)) {
    const double x = layout.x(tick);
    const std::string text = svg::tick_text(chart.x, tick);
    out += svg::line_element(x, layout.y.start, x, layout.y.start + 4, "axis");
    if (x - svg::text_width(text) / 2 < free_from) continue;  // it would run into its neighbor
    out += svg::text_element(x, layout.y.start + 20, "middle", "tick", text);
    free_from = x + svg::text_width(text) / 2 + 4;
  }
  out += svg::line_element(layout.x.start, layout.y.start, layout.x.end, layout.y.start, "axis");
  out += svg::text_element(0, layout.y.end - 12, "start", "muted", svg::fitted(chart.y.label, kChartWidth));
  out += svg::text_element((layout.x.start + layout.x.end) / 2, layout.y.start + 40, "middle", "muted", chart.x.label);
  return out;
}

std::string band(const LineSeries& series, const Layout& layout) {
  if (std::none_of(series.points.begin(), series.points.end(), [](const auto& p) { return p.high > p.low; })) return {};
  std::string points;
  for (const ChartPoint& p : series.points)
    points += coordinate(layout.x(p.x)) + "," + coordinate(layout.y(p.high)) + " ";
  for (auto p = series.points.rbegin(); p != series.points.rend(); ++p) {
    points += coordinate(layout.x(p->x)) + "," + coordinate(layout.y(p->low)) + " ";
  }
  points.pop_back();
  return base::concat("<polygon class=\"band\" points=\"", points,
                      "\" style=\"fill:", svg::color_variable(series.color), "\"/>");
}

std::string line(const LineSeries& series, const Layout& layout) {
  std::string points;
  for (const ChartPoint& p : series.points) points += coordinate(layout.x(p.x)) + "," + coordinate(layout.y(p.y)) + " ";
  points.pop_back();
  return base::concat("<polyline class=\"", svg::line_class(series.dash), "\" points=\"", points,
                      "\" style=\"stroke:", svg::color_variable(series.color), "\"/>");
}

std::string markers(const LineSeries& series, const Layout& layout) {
  if (!series.markers) return {};
  std::string out;
  const size_t first = series.points.size() > kMostMarkers ? series.points.size() - 1 : 0;
  for (size_t i = first; i < series.points.size(); ++i) {
    const ChartPoint& point = series.points[i];
    out += svg::marker(layout.x(point.x), layout.y(point.y), series.color, point.note);
  }
  return out;
}

struct Label {
  double x = 0, y = 0;  // where the text starts, and its middle line
  std::string text;
  int color = 0;
  double right() const { return x + svg::bold_width(text); }
};

constexpr double kLabelApart = 16;

bool covers_label(const Label& label, const std::vector<Label>& placed) {
  return std::any_of(placed.begin(), placed.end(), [&](const Label& other) {
    return label.x < other.right() && other.x < label.right() && std::abs(label.y - other.y) < kLabelApart;
  });
}

bool covers_curve(const Label& label, const LineChart& chart, const Layout& layout) {
  constexpr double kHalfHeight = 9;
  constexpr int kSteps = 16;  // looked at along each segment
  for (const LineSeries& series : chart.series) {
    for (size_t i = 1; i < series.points.size(); ++i) {
      const double x1 = layout.x(series.points[i - 1].x), x2 = layout.x(series.points[i].x);
      const double y1 = layout.y(series.points[i - 1].y), y2 = layout.y(series.points[i].y);
      for (int step = 0; step <= kSteps; ++step) {
        const double x = x1 + (x2 - x1) * step / kSteps, y = y1 + (y2 - y1) * step / kSteps;
        if (x > label.x && x < label.right() && std::abs(y - label.y) < kHalfHeight) return true;
      }
    }
  }
  return false;
}

/// Labels to the right of the plot, moved apart where they would overlap. Whether that was needed.
bool spread(std::vector<Label>& labels, double lowest) {
  std::stable_sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
  bool apart = false;
  for (size_t i = 1; i < labels.size(); ++i) {
    apart = apart || labels[i].y < labels[i - 1].y + kLabelApart;
    labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelApart);
  }
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    label->y = std::min(label->y, lowest);
    lowest = label->y - kLabelApart;
  }
  return apart;
}

/// Values at the ends of the curves. A curve that ends inside the plot is labeled where no curve and no other label is;
/// where everything is full it has no label (its table has the number).
std::string end_labels(const LineChart& chart, const Layout& layout) {
  std::vector<Label> placed, inside;
  for (const LineSeries& series : chart.series) {
    if (series.end_label.empty()) continue;
    const Label label{layout.x(series.points.back().x) + 9, layout.y(series.points.back().y), series.end_label,
                      series.color};
    (label.right() > layout.x.end ? placed : inside).push_back(label);
  }
  std::string out;
  bool moved_away = false;
  for (Label& label : placed) {
    const double beside = layout.x.end + 9;
    moved_away = moved_away || beside - label.x > kLabelApart;
    label.x = beside;
  }
  if (spread(placed, layout.y.start) || moved_away) {
    // A label that no longer stands beside its point shows its series' marker.
    for (Label& label : placed) {
      out += svg::marker(label.x + 6, label.y, label.color);
      label.x += kMarkerRoom;
    }
  }
  for (const Label& label : inside) {
    const double end = label.x - 9, width = label.right() - label.x;
    const std::pair<double, double> places[] = {{label.x, label.y},
                                                {end - width / 2, label.y - 16},
                                                {end - width, label.y - 16},
                                                {end - width / 2, label.y + 18},
                                                {end + 6, label.y + 18}};
    for (const auto& [x, y] : places) {
      const Label moved{x, y, label.text, label.color};
      if (x < layout.x.start || y < layout.y.end || y > layout.y.start - 8) continue;
      if (covers_curve(moved, chart, layout) || covers_label(moved, placed)) continue;
      placed.push_back(moved);
      break;
    }
  }
  for (const Label& label : placed) out += svg::text_element(label.x, label.y + 4.5, "start", "value", label.text);
  return out;
}

}  // namespace

std::string line_chart_svg(const LineChart& given) {
  const LineChart chart = cleaned(given);
  if (chart.series.empty()) return svg::no_data(chart.id, chart.title, chart.description);
  std::vector<svg::LegendEntry> entries;
  for (const LineSeries& series : chart.series) {
    entries.push_back({series.name, series.color, true, series.markers, series.dash});
  }
  const svg::Legend legend = svg::legend(entries, 0);
  const Layout layout = layout_of(chart, legend.height);
  std::string body = legend.markup + axes(chart, layout);
  for (const LineSeries& series : chart.series) body += band(series, layout);
  for (const LineSeries& series : chart.series) body += line(series, layout);
  for (const LineSeries& series : chart.series) body += markers(series, layout);
  return svg::frame(chart.id, chart.title, chart.description, layout.height, body + end_labels(chart, layout));
}

}  // namespace memlayers::report
