#include "results/comparison.h"

#include "results/metric.h"
#include "results/statistic.h"

namespace memlayers::results {
double position(const CurvePoint& point, Axis axis) {
  switch (axis) {
    case Axis::kTokens:
      return static_cast<double>(point.tokens);
    case Axis::kFlops:
      return point.flops;
    case Axis::kSeconds:
      return point.seconds;
  }
  return 0;
}

namespace {

/// Where the last point of a run lies that has the metric; nothing where none has.
std::optional<double> reach(const RunResult& run, const std::string& metric, Axis axis) {
  std::optional<double> last;
  for (const CurvePoint& point : run.curve) {
    if (curve_value(point, metric)) last = position(point, axis);
  }
  return last;
}

}  // namespace

std::optional<double> metric_at(const RunResult& run, const std::string& metric, Axis axis, double budget) {
  std::optional<double> before;
  double start = 0;
  for (const CurvePoint& point : run.curve) {
    const std::optional<double> value = curve_value(point, metric);
    if (!value) continue;
    const double here = position(point, axis);
    if (here == budget) return value;
    if (here > budget) {
      if (!before) return std::nullopt;
      return *before + (*value - *before) * (budget - start) / (here - start);
    }
    before = value;
    start = here;
  }
  return std::nullopt;
}

Verdict verdict_at_equal(const Comparison& comparison, Axis axis, const std::string& metric) {
  Verdict verdict{metric, higher_is_better(comparison, metric) ? Better::kHigher : Better::kLower, axis, 0, {}};
  std::optional<double> budget;
  for (const RunResult& run : comparison.runs) {
    const std::optional<double> end = reach(run, metric, axis);
    if (end && (!budget || *end < *budget)) budget = end;
  }
  if (!budget) return verdict;
  verdict.budget = *budget;
  for (const std::string& variant : comparison.variants) {
    std::vector<double> values;
    for (const RunResult& run : comparison.runs) {
      if (run.variant != variant) continue;
      if (const std::optional<double> value = metric_at(run, metric, axis, *budget)) values.push_back(*value);
    }
    if (values.empty()) continue;
    const Statistic s = statistic(values);
    verdict.rows.push_back({variant, s.count, s.mean, s.deviation, s.lowest, s.highest});
  }
  return verdict;
}

}  // namespace memlayers::results
