#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/charts/svg_frame.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using svg::coordinate;

constexpr double kBarHeight = 26, kRowHeight = 42, kBottom = 46;

bool drawable(double value) { return std::isfinite(value) && value > 0; }

double length_of(const StackedBar& bar) {
  double sum = 0;
  for (const double part : bar.parts) sum += drawable(part) ? part : 0;
  return sum;
}

svg::Scale value_scale(const StackedChart& chart) {
  double most = 0, label = 0, text = 0;
  for (const StackedBar& bar : chart.bars) {
    most = std::max(most, length_of(bar));
    label = std::max(label, svg::text_width(bar.name));
    text = std::max(text, svg::bold_width(bar.text));
  }
  const double high = svg::widened_to_ticks(chart.value, 0, most).second;
  return {0, high, std::min(label, svg::kWidestLabel) + 8, kChartWidth - text - 10, false};
}

/// "3", as the legend numbers the part, where it fits; so no part is told by its color alone.
std::string number_of(size_t part) { return std::to_string(part + 1); }

std::string bar_markup(const StackedChart& chart, const StackedBar& bar, const svg::Scale& scale, double middle) {
  std::string rectangles, numbers;
  double sum = 0;
  for (size_t p = 0; p < std::min(bar.parts.size(), chart.parts.size()); ++p) {
    if (!drawable(bar.parts[p])) continue;
    const double left = scale(sum), right = scale(sum += bar.parts[p]);
    const std::string note = p < bar.notes.size() ? bar.notes[p] : chart.parts[p].name;
    rectangles += base::concat("<rect x=\"", coordinate(left), "\" y=\"", coordinate(middle - kBarHeight / 2),
                               "\" width=\"", coordinate(right - left), "\" height=\"", coordinate(kBarHeight),
                               "\" class=\"part\" style=\"fill:", svg::color_variable(chart.parts[p].color),
                               "\"><title>", results::escape_markup(note), "</title></rect>");
    if (right - left >= svg::bold_width(number_of(p)) + 6) {
      numbers += svg::text_element((left + right) / 2, middle + 4.5, "middle", "value", number_of(p));
    }
  }
  return rectangles + numbers + svg::text_element(scale(sum) + 5, middle + 4.5, "start", "value", bar.text);
}

}  // namespace

std::string stacked_chart_svg(const StackedChart& chart) {
  const bool any =
      std::any_of(chart.bars.begin(), chart.bars.end(), [](const StackedBar& bar) { return length_of(bar) > 0; });
  if (!any) return svg::no_data(chart.id, chart.title, chart.description);
  std::vector<svg::LegendEntry> entries;
  for (size_t p = 0; p < chart.parts.size(); ++p) {
    entries.push_back({base::concat(number_of(p), " ", chart.parts[p].name), chart.parts[p].color});
  }
  const svg::Legend legend = svg::legend(entries, 0);
  const svg::Scale scale = value_scale(chart);
  const double top = legend.height + 4, bottom = top + kRowHeight * static_cast<double>(chart.bars.size());
  std::string body = legend.markup + svg::value_axis(chart.value, scale, top, bottom);
  for (size_t b = 0; b < chart.bars.size(); ++b) {
    const double middle = top + kRowHeight * (static_cast<double>(b) + 0.5);
    body += svg::row_label(chart.bars[b].name, scale.start - 8, middle);
    body += bar_markup(chart, chart.bars[b], scale, middle);
  }
  return svg::frame(chart.id, chart.title, chart.description, bottom + kBottom, body);
}

}  // namespace memlayers::report
