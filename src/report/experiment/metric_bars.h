// A metric as bars and words, with its range over the seeds: what figures of one share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/charts/svg_chart.h"
#include "report/experiment/contest.h"

namespace memlayers::report {

/// "6.480", and for several seeds "6.480 (6.100 to 6.900)".
std::string range_text(const std::string& metric, const results::Statistic& s);
/// "6.480 ± 0.200", without spread where there is none; "not measured".
std::string mean_text(const std::string& metric, const results::Statistic& s);
/// Named by the metric; ticks of a share in percent.
ChartAxis metric_axis(const std::string& metric);
/// Nothing where nothing was measured.
std::optional<Bar> bar_of(const std::string& metric, const results::Statistic& s);
/// The bars in words, for who cannot see them.
std::string bars_description(const BarChart& chart);
/// What bars and thin lines are; empty for one seed each.
std::string whisker_caption(const std::vector<Variant>& variants);

}  // namespace memlayers::report
