#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/experiment/figures.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

constexpr size_t kMostPoints = 120;  // of a drawn curve; longer ones are averaged down

struct Sample {
  double step, x, y;
};
using Curve = std::vector<Sample>;
using results::CurvePoint;

/// What a horizontal axis counts, in a unit that keeps its ticks short.
struct Budget {
  results::Axis axis;
  std::string id, title, label, column;
  double unit = 1;
};

double largest(const results::Comparison& comparison, results::Axis axis) {
  double most = 0;
  for (const results::RunResult& run : comparison.runs) {
    for (const results::CurvePoint& point : run.curve) most = std::max(most, position(point, axis));
  }
  return most;
}

Budget tokens_budget(double most) {
  const auto [unit, name] = most >= 2e9   ? std::pair{1e9, "billion tokens"}
                            : most >= 2e6 ? std::pair{1e6, "million tokens"}
                            : most >= 2e3 ? std::pair{1e3, "thousand tokens"}
                                          : std::pair{1.0, "tokens"};
  return {results::Axis::kTokens, "tokens", "text read", base::concat("text read (", name, ")"), name, unit};
}

Budget flops_budget(double most) {
  double unit = 1;
  std::string name = "FLOP";
  for (const auto& [size, prefix] : {std::pair{1e9, "G"}, {1e12, "T"}, {1e15, "P"}, {1e18, "E"}, {1e21, "Z"}}) {
    if (most < 2 * size) break;
    unit = size;
    name = base::concat(prefix, "FLOP");
  }
  return {results::Axis::kFlops,
          "flops",
          "computation spent",
          base::concat("computation of training (", name, ")"),
          name,
          unit};
}

Budget seconds_budget(double most) {
  const auto [unit, name] = most >= 3 * 3600 ? std::pair{3600.0, "hours"}
                            : most >= 180    ? std::pair{60.0, "minutes"}
                                             : std::pair{1.0, "seconds"};
  return {results::Axis::kSeconds, "seconds", "time spent", base::concat("training time (", name, ")"), name, unit};
}

Curve averaged_down(const Curve& curve) {
  if (curve.size() <= kMostPoints) return curve;
  Curve result;
  for (size_t part = 0; part < kMostPoints; ++part) {
    const size_t begin = part * curve.size() / kMostPoints, end = (part + 1) * curve.size() / kMostPoints;
    Sample sum{0, 0, 0};
    for (size_t i = begin; i < end; ++i) {
      sum.step += curve[i].step;
      sum.x += curve[i].x;
      sum.y += curve[i].y;
    }
    const double count = static_cast<double>(end - begin);
    result.push_back({sum.step / count, sum.x / count, sum.y / count});
  }
  return result;
}

bool same_steps(const std::vector<Curve>& curves) {
  return std::all_of(curves.begin(), curves.end(), [&](const Curve& curve) {
    return std::equal(curve.begin(), curve.end(), curves.front().begin(), curves.front().end(),
                      [](const Sample& a, const Sample& b) { return a.step == b.step; });
  });
}

double interpolated(const Curve& curve, double x) {
  const auto after =
      std::lower_bound(curve.begin(), curve.end(), x, [](const Sample& p, double at) { return p.x < at; });
  if (after == curve.begin()) return after->y;
  if (after == curve.end()) return curve.back().y;
  const auto before = std::prev(after);
  const double width = after->x - before->x;
  return width <= 0 ? after->y : before->y + (after->y - before->y) * (x - before->x) / width;
}

/// Mean, lowest and highest of several seeds: step by step where they were measured at the same steps (x is then the
/// mean too), otherwise at the points of the first where all of them have values.
std::vector<std::pair<double, results::Statistic>> over_seeds(const std::vector<Curve>& curves) {
  std::vector<std::pair<double, results::Statistic>> result;
  const auto add = [&](double x, auto&& value) {
    std::vector<double> values;
    for (const Curve& curve : curves) values.push_back(value(curve));
    result.emplace_back(x, results::statistic(values));
  };
  if (same_steps(curves)) {
    for (size_t i = 0; i < curves.front().size(); ++i) {
      double x = 0;
      for (const Curve& curve : curves) x += curve[i].x / static_cast<double>(curves.size());
      add(x, [&](const Curve& curve) { return curve[i].y; });
    }
    return result;
  }
  double from = -1e300, to = 1e300;
  for (const Curve& curve : curves) {
    from = std::max(from, curve.front().x);
    to = std::min(to, curve.back().x);
  }
  std::vector<double> grid;
  if (from <= to) grid = {from};
  for (const Sample& sample : curves.front()) {
    if (sample.x > from && sample.x < to) grid.push_back(sample.x);
  }
  if (from < to) grid.push_back(to);
  for (const double x : grid) add(x, [&](const Curve& curve) { return interpolated(curve, x); });
  return result;
}

/// What is measured on the way.
struct Quantity {
  std::string metric, column, axis;
  std::string (*text)(double);
  std::string (*tick)(double);  // null: as numbers are
  std::string (*end)(double);   // beside the last point
  double CurvePoint::*value;
  double lowest;  // a smaller value says that nothing was measured
  double least_top;
};
std::string percent(double v) { return results::percent_text(v); }
std::string whole_percent(double v) { return results::percent_text(v, 0); }
std::string three_decimals(double v) { return results::decimal_text(v, 3); }
std::string two_decimals(double v) { return results::decimal_text(v, 2); }
const Quantity kQuantities[] = {{"recall", "recall, unseen wordings", "facts recalled in wordings never read", percent,
                                 whole_percent, percent, &CurvePoint::recall, 0, 0.05},
                                {"recall_seen", "recall, seen wordings", "facts recalled in wordings read", percent,
                                 whole_percent, percent, &CurvePoint::recall_seen, 0, 0.05},
                                {"nats", "nats, unseen wordings", "nats per answer in wordings never read",
                                 three_decimals, nullptr, two_decimals, &CurvePoint::nats, 0, 0},
                                {"nats_seen", "nats, seen wordings", "nats per answer in wordings read", three_decimals,
                                 nullptr, two_decimals, &CurvePoint::nats_seen, 0, 0},
                                {"loss", "loss (nats per token)", "training loss (nats per token)", three_decimals,
                                 nullptr, two_decimals, &CurvePoint::loss, 1e-12, 0}};

bool there(const Quantity& quantity, const CurvePoint& point) {
  return std::isfinite(point.*quantity.value) && point.*quantity.value >= quantity.lowest;
}

std::vector<Curve> curves_of(const results::Comparison& comparison, const std::string& variant, const Budget& budget,
                             const Quantity& quantity) {
  std::vector<Curve> curves;
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    Curve curve;
    for (const results::CurvePoint& point : run.curve) {
      if (there(quantity, point)) {
        curve.push_back(
            {static_cast<double>(point.step), position(point, budget.axis) / budget.unit, point.*quantity.value});
      }
    }
    if (!curve.empty()) curves.push_back(averaged_down(curve));
  }
  return curves;
}

/// Fills the chart's series and the table behind it.
void add_series(const results::Comparison& comparison, const std::vector<Variant>& variants, const Budget& budget,
                const Quantity& quantity, LineChart& chart, Table& table) {
  const bool spread = has_spread(variants);
  table.head = {"model", budget.column, quantity.column};
  if (spread) table.head.insert(table.head.end(), {"lowest seed", "highest seed"});
  for (const Variant& variant : variants) {
    const std::vector<Curve> curves = curves_of(comparison, variant.name, budget, quantity);
    if (curves.empty()) continue;
    LineSeries series{variant.label, variant.color, 0, true, {}, {}};
    for (const auto& [x, value] : over_seeds(curves)) {
      const std::string at = results::decimal_text(x, x < 10 ? 2 : 1);
      series.points.push_back(
          {x, value.mean, value.lowest, value.highest,
           base::concat(variant.label, ": ", quantity.text(value.mean), " at ", at, " ", budget.column)});
      std::vector<std::string> row{variant.label, at, quantity.text(value.mean)};
      if (spread) row.insert(row.end(), {quantity.text(value.lowest), quantity.text(value.highest)});
      table.rows.push_back(std::move(row));
    }
    if (!series.points.empty()) series.end_label = quantity.end(series.points.back().y);
    chart.series.push_back(std::move(series));
  }
}

std::string ends_description(const LineChart& chart) {
  std::string text;
  for (const LineSeries& series : chart.series) {
    if (!series.points.empty()) text += base::concat(" ", series.name, " ends at ", series.end_label, ".");
  }
  return text;
}

Budget budget_over(const std::string& over, const results::Comparison& comparison) {
  if (over == "flops") return flops_budget(largest(comparison, results::Axis::kFlops));
  if (over == "seconds") return seconds_budget(largest(comparison, results::Axis::kSeconds));
  return tokens_budget(largest(comparison, results::Axis::kTokens));
}

}  // namespace

Figure curve_figure(const results::FigureSpec& spec, const results::Comparison& comparison,
                    const std::vector<Variant>& variants) {
  const auto quantity = std::find_if(std::begin(kQuantities), std::end(kQuantities),
                                     [&](const Quantity& one) { return one.metric == spec.metric; });
  if (quantity == std::end(kQuantities)) return {};
  const Budget budget = budget_over(spec.over, comparison);
  const std::string subject = spec.metric == "loss"             ? "Loss"
                              : spec.metric.starts_with("nats") ? "Nats per answer"
                                                                : "Recall";
  const std::string title = spec.title.empty() ? base::concat(subject, " over ", budget.title) : spec.title;
  Figure figure{spec.metric + "-" + budget.id, title, {}, {}, {}};
  if (has_spread(variants)) figure.caption = " Line: mean over seeds; shaded: lowest to highest seed.";
  LineChart chart{figure.id, figure.title, {}, {budget.label, false, 0.0, {}, {}}, {}, {}};
  chart.y = {quantity->axis, false, 0.0, {}, {}};
  if (quantity->tick != nullptr) chart.y.text = quantity->tick;
  Table table{figure.title, {}, {}};
  add_series(comparison, variants, budget, *quantity, chart, table);
  if (chart.series.empty()) return figure;
  chart.description =
      base::concat("Line chart of ", quantity->axis, " over ", budget.label, ".", ends_description(chart));
  // Recall of next to nothing is drawn as such, not stretched over the whole height.
  const bool tiny = std::all_of(chart.series.begin(), chart.series.end(), [&](const LineSeries& series) {
    return std::all_of(series.points.begin(), series.points.end(),
                       [&](const auto& p) { return p.high < quantity->least_top; });
  });
  if (tiny) chart.y.high = quantity->least_top;
  figure.svg = line_chart_svg(chart);
  figure.tables.push_back(std::move(table));
  return figure;
}

}  // namespace memlayers::report
