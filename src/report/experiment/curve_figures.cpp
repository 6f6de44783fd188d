#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/comparison/report_figures.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

constexpr size_t kMostPoints = 120;  // of a drawn curve; longer ones are averaged down

struct Sample {
  double step, x, y;
};
using Curve = std::vector<Sample>;

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

struct Quantity {
  std::string column;
  std::string (*text)(double);
  bool (*there)(const results::CurvePoint&);
  double (*value)(const results::CurvePoint&);
};
const Quantity kRecall{"recall, unseen wordings", [](double v) { return results::percent_text(v); },
                       [](const results::CurvePoint& p) { return p.recall >= 0; },
                       [](const results::CurvePoint& p) { return p.recall; }};
const Quantity kLoss{"loss (nats per token)", [](double v) { return results::decimal_text(v, 3); },
                     [](const results::CurvePoint& p) { return std::isfinite(p.loss) && p.loss > 0; },
                     [](const results::CurvePoint& p) { return p.loss; }};

std::vector<Curve> curves_of(const results::Comparison& comparison, const std::string& variant, const Budget& budget,
                             const Quantity& quantity) {
  std::vector<Curve> curves;
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    Curve curve;
    for (const results::CurvePoint& point : run.curve) {
      if (quantity.there(point)) {
        curve.push_back(
            {static_cast<double>(point.step), position(point, budget.axis) / budget.unit, quantity.value(point)});
      }
    }
    if (!curve.empty()) curves.push_back(averaged_down(curve));
  }
  return curves;
}

/// Fills the chart's series and the table behind it.
void add_series(const results::Comparison& comparison, const std::vector<VariantSummary>& variants,
                const Budget& budget, const Quantity& quantity, LineChart& chart, Table& table) {
  const bool spread =
      std::any_of(variants.begin(), variants.end(), [](const auto& variant) { return variant.runs > 1; });
  table.head = {"model", budget.column, quantity.column};
  if (spread) table.head.insert(table.head.end(), {"lowest seed", "highest seed"});
  for (const VariantSummary& variant : variants) {
    const std::vector<Curve> curves = curves_of(comparison, variant.variant, budget, quantity);
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
    if (!series.points.empty()) series.end_label = quantity.text(series.points.back().y);
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

std::string seeds_caption(const std::vector<VariantSummary>& variants) {
  const bool spread =
      std::any_of(variants.begin(), variants.end(), [](const auto& variant) { return variant.runs > 1; });
  return spread ? " Line: mean over seeds; shaded: lowest to highest seed." : "";
}

Figure recall_figure(const results::Comparison& comparison, const std::vector<VariantSummary>& variants,
                     const Budget& budget, const std::string& meaning) {
  Figure figure{"recall-" + budget.id, "Recall over " + budget.title, meaning + seeds_caption(variants), {}, {}};
  LineChart chart{figure.id, figure.title, {}, {budget.label, false, 0.0, {}, {}}, {}, {}};
  chart.y = {
      "facts recalled in wordings never read", false, 0.0, {}, [](double v) { return results::percent_text(v, 0); }};
  Table table{figure.title, {}, {}};
  add_series(comparison, variants, budget, kRecall, chart, table);
  chart.description = "Line chart of the share of facts recalled over " + budget.label + "." + ends_description(chart);
  if (chart.series.empty()) return figure;
  // Recall of next to nothing is drawn as such, not stretched over the whole height.
  constexpr double kLeastTop = 0.05;
  const bool tiny = std::all_of(chart.series.begin(), chart.series.end(), [](const LineSeries& series) {
    return std::all_of(series.points.begin(), series.points.end(), [](const auto& p) { return p.high < kLeastTop; });
  });
  if (tiny) chart.y.high = kLeastTop;
  figure.svg = line_chart_svg(chart);
  figure.tables.push_back(std::move(table));
  return figure;
}

Figure loss_figure(const results::Comparison& comparison, const std::vector<VariantSummary>& variants,
                   const Budget& budget) {
  Figure figure{
      "loss-tokens",
      "Loss over text read",
      "How surprised a model is by each next token of its training text; lower is better. A low loss does not yet "
      "mean that facts can be recalled in other words." +
          seeds_caption(variants),
      {},
      {}};
  LineChart chart{figure.id, figure.title, {}, {budget.label, false, 0.0, {}, {}}, {}, {}};
  chart.y = {"training loss (nats per token)", false, 0.0, {}, {}};
  Table table{figure.title, {}, {}};
  add_series(comparison, variants, budget, kLoss, chart, table);
  for (LineSeries& series : chart.series) series.end_label = results::decimal_text(series.points.back().y, 2);
  chart.description = "Line chart of the training loss over " + budget.label + "." + ends_description(chart);
  if (chart.series.empty()) return figure;
  figure.svg = line_chart_svg(chart);
  figure.tables.push_back(std::move(table));
  return figure;
}

}  // namespace

std::vector<Figure> learning_figures(const results::Comparison& comparison,
                                     const std::vector<VariantSummary>& variants) {
  const Budget tokens = tokens_budget(largest(comparison, results::Axis::kTokens));
  const Budget flops = flops_budget(largest(comparison, results::Axis::kFlops));
  const Budget seconds = seconds_budget(largest(comparison, results::Axis::kSeconds));
  std::vector<Figure> figures{
      recall_figure(comparison, variants, tokens, "Which model makes more of the same text?"),
      recall_figure(comparison, variants, seconds, "Which model makes more of the same time on this machine?"),
      recall_figure(comparison, variants, flops,
                    "Which model makes more of the same arithmetic, as counted from the models' shapes?"),
      loss_figure(comparison, variants, tokens)};
  std::erase_if(figures, [](const Figure& figure) { return figure.svg.empty(); });
  return figures;
}

}  // namespace memlayers::report
