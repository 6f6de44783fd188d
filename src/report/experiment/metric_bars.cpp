#include "report/experiment/metric_bars.h"

#include "base/error.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {

std::string range_text(const std::string& metric, const results::Statistic& s) {
  const auto text = [&](double value) { return results::metric_number(metric, value); };
  if (s.count <= 1) return text(s.mean);
  return base::concat(text(s.mean), " (", text(s.lowest), " to ", text(s.highest), ")");
}

std::string mean_text(const std::string& metric, const results::Statistic& s) {
  if (s.count == 0) return "not measured";
  if (s.count == 1 || s.deviation == 0) return results::metric_number(metric, s.mean);
  return results::metric_number(metric, s.mean) + " ± " + results::metric_number(metric, s.deviation);
}

ChartAxis metric_axis(const std::string& metric) {
  ChartAxis axis;
  axis.label = results::metric_label(metric);
  if (results::is_share(metric)) axis.text = [](double v) { return results::percent_text(v, 0); };
  return axis;
}

std::optional<Bar> bar_of(const std::string& metric, const results::Statistic& s) {
  if (s.count == 0) return std::nullopt;
  const std::string text = results::is_share(metric)
                               ? results::percent_text(s.mean, s.mean > 0 && s.mean < 0.0995 ? 1 : 0)
                               : results::decimal_text(s.mean, 2);
  return Bar{s.mean, s.lowest, s.highest, text};
}

std::string bars_description(const BarChart& chart) {
  std::string text;
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    text += " " + chart.groups[g] + ":";
    for (const BarSeries& series : chart.series) {
      text += " " + series.name + " " + (series.bars[g] ? series.bars[g]->text : "not asked") +
              (&series == &chart.series.back() ? "." : ",");
    }
  }
  return text;
}

std::string whisker_caption(const std::vector<Variant>& variants) {
  return has_spread(variants) ? " Bars: means over seeds; thin lines: lowest to highest seed." : "";
}

}  // namespace memlayers::report
