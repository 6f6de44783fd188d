#include "report/experiment/figures.h"

#include <algorithm>

#include "base/error.h"
#include "report/experiment/metric_bars.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;

/// A table of the figure's numbers: one row a group or a value of x, one column a series.
Table numbers(const results::FigureSpec& figure, const std::vector<std::string>& rows,
              const results::Comparison& comparison) {
  Table table{figure.title, {figure.x.empty() ? "" : figure.x_label}, {}};
  for (const results::SeriesSpec& series : figure.series) table.head.push_back(series.name);
  for (size_t r = 0; r < rows.size(); ++r) {
    std::vector<std::string> cells{rows[r]};
    for (const results::SeriesSpec& series : figure.series) {
      const std::string& variant = series.variants[std::min(r, series.variants.size() - 1)];
      const results::Statistic s = results::metric_statistic(comparison, variant, figure.metric);
      cells.push_back(s.count > 0 ? range_text(figure.metric, s) : "not measured");
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string bars_svg(const results::FigureSpec& figure, const std::string& id, const results::Comparison& comparison) {
  BarChart chart{id,
                 figure.title,
                 "Bar chart: " + results::metric_label(figure.metric) + ".",
                 metric_axis(figure.metric),
                 figure.groups,
                 {}};
  bool any = false;
  for (size_t i = 0; i < figure.series.size(); ++i) {
    BarSeries bars{figure.series[i].name, static_cast<int>(i), {}};
    for (const std::string& variant : figure.series[i].variants) {
      const results::Statistic s = results::metric_statistic(comparison, variant, figure.metric);
      if (s.count == 0) {
        bars.bars.emplace_back(std::nullopt);
        continue;
      }
      any = true;
      bars.bars.push_back(Bar{s.mean, s.lowest, s.highest, results::metric_number(figure.metric, s.mean)});
    }
    chart.series.push_back(std::move(bars));
  }
  return any ? bar_chart_svg(chart) : std::string();
}

std::string lines_svg(const results::FigureSpec& figure, const std::string& id, const results::Comparison& comparison) {
  LineChart chart{id,
                  figure.title,
                  "Line chart: " + results::metric_label(figure.metric) + " over " + figure.x_label + ".",
                  {},
                  metric_axis(figure.metric),
                  {}};
  chart.x.label = figure.x_label;
  chart.x.logarithmic = figure.logarithmic;
  chart.x.low = figure.x.front();
  chart.x.high = figure.x.back();
  chart.x.text = [](double v) { return results::metric_text(v); };
  bool any = false;
  for (size_t i = 0; i < figure.series.size(); ++i) {
    const results::SeriesSpec& series = figure.series[i];
    const bool reference = series.variants.size() == 1 && figure.x.size() > 1;
    LineSeries line{series.name, reference ? kMutedColor : static_cast<int>(i), reference ? 1 : 0, !reference, {}, {}};
    for (size_t p = 0; p < figure.x.size(); ++p) {
      const results::Statistic s =
          results::metric_statistic(comparison, series.variants[reference ? 0 : p], figure.metric);
      if (s.count == 0) continue;
      any = true;
      line.points.push_back(
          {figure.x[p], s.mean, s.lowest, s.highest,
           concat(series.name, ", ", results::metric_text(figure.x[p]), ": ", range_text(figure.metric, s))});
    }
    chart.series.push_back(std::move(line));
  }
  return any ? line_chart_svg(chart) : std::string();
}

}  // namespace

Figure variants_figure(const results::FigureSpec& spec, const std::string& id, const results::Comparison& comparison) {
  Figure figure{id, spec.title, {}, {}, {}};
  figure.svg = spec.x.empty() ? bars_svg(spec, id, comparison) : lines_svg(spec, id, comparison);
  std::vector<std::string> rows = spec.groups;
  for (const double x : spec.x) rows.push_back(results::metric_text(x));
  if (!figure.svg.empty()) figure.tables.push_back(numbers(spec, rows, comparison));
  return figure;
}

}  // namespace memlayers::report
