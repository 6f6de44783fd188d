#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/charts/svg_frame.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using svg::coordinate;

constexpr double kBarHeight = 15, kGroupGap = 12, kBottom = 46;

bool drawable(const std::optional<Bar>& bar) { return bar && std::isfinite(bar->value) && bar->value >= 0; }

svg::Scale value_scale(const BarChart& chart) {
  double most = 0, label = 0, text = 0;
  for (const std::string& group : chart.groups) label = std::max(label, svg::text_width(group));
  for (const BarSeries& series : chart.series) {
    for (const auto& bar : series.bars) {
      if (!drawable(bar)) continue;
      most = std::max({most, bar->value, std::isfinite(bar->high) ? bar->high : 0});
      text = std::max(text, svg::bold_width(bar->text));
    }
  }
  const double high = svg::widened_to_ticks(chart.value, 0, chart.value.high.value_or(most > 0 ? most : 1)).second;
  return {0, high, std::min(label, svg::kWidestLabel) + 8, kChartWidth - text - 10, false};
}

std::string bar_markup(const BarSeries& series, const std::string& group, const Bar& bar, const svg::Scale& scale,
                       double y) {
  std::string out =
      base::concat("<rect x=\"", coordinate(scale.start), "\" y=\"", coordinate(y + 1), "\" width=\"",
                   coordinate(bar.value > 0 ? std::max(1.0, scale(bar.value) - scale.start) : 0), "\" height=\"",
                   coordinate(kBarHeight - 2), "\" style=\"fill:", svg::color_variable(series.color), "\"><title>",
                   results::escape_markup(group + ", " + series.name + ": " + bar.text), "</title></rect>");
  double end = scale(bar.value);
  if (bar.high > bar.low) {
    const double middle = y + kBarHeight / 2, left = scale(std::max(0.0, bar.low)), right = scale(bar.high);
    out += svg::line_element(left, middle, right, middle, "halo");  // sets it off from the bar
    out += svg::line_element(left, middle, right, middle, "whisker");
    out += svg::line_element(left, middle - 3, left, middle + 3, "whisker");
    out += svg::line_element(right, middle - 3, right, middle + 3, "whisker");
    end = std::max(end, right);
  }
  return out + svg::text_element(end + 5, y + kBarHeight / 2 + 4.5, "start", "value", bar.text);
}

}  // namespace

std::string bar_chart_svg(const BarChart& chart) {
  const bool any = std::any_of(chart.series.begin(), chart.series.end(), [](const BarSeries& series) {
    return std::any_of(series.bars.begin(), series.bars.end(), drawable);
  });
  if (!any) return svg::no_data(chart.id, chart.title, chart.description);
  std::vector<svg::LegendEntry> entries;
  for (const BarSeries& series : chart.series) entries.push_back({series.name, series.color});
  const svg::Legend legend = svg::legend(entries, 0);
  const svg::Scale scale = value_scale(chart);
  const double group_height =
      std::max(kBarHeight * static_cast<double>(chart.series.size()), 2 * svg::kLabelLine) + kGroupGap;
  const double top = legend.height + 4, bottom = top + group_height * static_cast<double>(chart.groups.size());
  std::string body = legend.markup + svg::value_axis(chart.value, scale, top, bottom);
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    const double middle = top + group_height * (static_cast<double>(g) + 0.5);
    const double first_bar = middle - kBarHeight * static_cast<double>(chart.series.size()) / 2;
    body += svg::row_label(chart.groups[g], scale.start - 8, middle);
    for (size_t s = 0; s < chart.series.size(); ++s) {
      const BarSeries& series = chart.series[s];
      if (g >= series.bars.size() || !drawable(series.bars[g])) continue;
      body +=
          bar_markup(series, chart.groups[g], *series.bars[g], scale, first_bar + kBarHeight * static_cast<double>(s));
    }
  }
  return svg::frame(chart.id, chart.title, chart.description, bottom + kBottom, body);
}

}  // namespace memlayers::report
