#include "results/comparison.h"

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

bool asked(const CurvePoint& point) { return point.recall >= 0; }

/// Where the last asked point of a run lies; nothing when it was never asked.
std::optional<double> reach(const RunResult& run, Axis axis) {
  std::optional<double> last;
  for (const CurvePoint& point : run.curve) {
    if (asked(point)) last = position(point, axis);
  }
  return last;
}

}  // namespace

std::optional<double> recall_at(const RunResult& run, Axis axis, double budget) {
  const CurvePoint* before = nullptr;
  for (const CurvePoint& point : run.curve) {
    if (!asked(point)) continue;
    const double here = position(point, axis);
    if (here == budget) return point.recall;
    if (here > budget) {
      if (before == nullptr) return std::nullopt;
      const double start = position(*before, axis);
      return before->recall + (point.recall - before->recall) * (budget - start) / (here - start);
    }
    before = &point;
  }
  return std::nullopt;
}

Verdict verdict_at_equal(const Comparison& comparison, Axis axis) {
  Verdict verdict{axis, 0, {}};
  std::optional<double> budget;
  for (const RunResult& run : comparison.runs) {
    const std::optional<double> end = reach(run, axis);
    if (end && (!budget || *end < *budget)) budget = end;
  }
  if (!budget) return verdict;
  verdict.budget = *budget;
  for (const std::string& variant : comparison.variants) {
    std::vector<double> values;
    for (const RunResult& run : comparison.runs) {
      if (run.variant != variant) continue;
      if (const std::optional<double> value = recall_at(run, axis, *budget)) values.push_back(*value);
    }
    if (values.empty()) continue;
    const Statistic recall = statistic(values);
    verdict.rows.push_back({variant, recall.count, recall.mean, recall.deviation, recall.lowest, recall.highest});
  }
  return verdict;
}

}  // namespace memlayers::results
