#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "report/experiment/figures.h"
#include "report/experiment/metric_bars.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

ChartAxis axis_of(const std::string& metric) {
  ChartAxis axis = metric_axis(metric);
  axis.label = results::is_share(metric) ? "share of questions answered exactly" : "nats per answer";
  return axis;
}

std::string subject_of(const std::string& metric) { return metric.starts_with("nats") ? "Nats" : "Recall"; }

/// The table behind grouped bars: one row a group, one column a variant.
Table table_of(const std::string& caption, const std::string& first, const std::string& metric, const BarChart& chart) {
  const auto text = [&](double value) { return results::metric_number(metric, value); };
  Table table{caption, {first}, {}};
  for (const BarSeries& series : chart.series) {
    table.head.push_back(series.name);
    const bool spread =
        std::any_of(series.bars.begin(), series.bars.end(), [](const auto& b) { return b && b->high > b->low; });
    if (spread) table.head.push_back(series.name + ", lowest to highest seed");
  }
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    std::vector<std::string> row{chart.groups[g]};
    for (const BarSeries& series : chart.series) {
      const bool spread =
          std::any_of(series.bars.begin(), series.bars.end(), [](const auto& b) { return b && b->high > b->low; });
      const std::optional<Bar>& bar = series.bars[g];
      row.push_back(bar ? text(bar->value) : "not asked");
      if (spread) row.push_back(bar ? text(bar->low) + " to " + text(bar->high) : "not asked");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

struct RelationRow {
  std::string relation;
  int64_t questions = 0;
  std::vector<results::Statistic> values;  // one a variant
  double lead = 0;                         // best other variant over the baseline
};

double lead_over_baseline(const std::vector<results::Statistic>& values, const std::vector<Variant>& variants,
                          bool higher_is_better) {
  double baseline = 0;
  std::optional<double> best;
  for (size_t v = 0; v < variants.size(); ++v) {
    const double value = higher_is_better ? values[v].mean : -values[v].mean;
    if (variants[v].baseline)
      baseline = value;
    else if (values[v].count > 0)
      best = best ? std::max(*best, value) : value;
  }
  return best ? *best - baseline : baseline;
}

std::vector<RelationRow> relation_rows(const results::Comparison& comparison, const std::vector<Variant>& variants,
                                       const std::string& metric) {
  const std::string wording = metric.ends_with("_seen") ? "seen" : "unseen";
  const bool nats = metric.starts_with("nats");
  std::map<std::string, RelationRow> rows;
  std::map<std::string, std::map<std::string, std::vector<double>>> values;
  for (const results::RunResult& run : comparison.runs) {
    for (const results::RelationScore& score : run.relations) {
      if (score.wording != wording || score.questions <= 0) continue;
      rows[score.relation].questions = score.questions;
      values[score.relation][run.variant].push_back(nats ? score.nats : score.exact_match);
    }
  }
  std::vector<RelationRow> result;
  for (auto& [relation, row] : rows) {
    row.relation = relation;
    for (const Variant& variant : variants) row.values.push_back(results::statistic(values[relation][variant.name]));
    row.lead = lead_over_baseline(row.values, variants, /*higher_is_better=*/!nats);
    result.push_back(std::move(row));
  }
  std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.lead > b.lead; });
  return result;
}

std::string order_caption(const std::vector<Variant>& variants) {
  if (variants.size() < 2) return {};
  const auto baseline = std::find_if(variants.begin(), variants.end(), [](const auto& one) { return one.baseline; });
  const auto rival = std::find_if(variants.begin(), variants.end(), [](const auto& one) { return !one.baseline; });
  return base::concat(" On top: where ", variants.size() == 2 ? rival->label : "the best other model",
                      " is furthest ahead of ", baseline->label, ".");
}

Figure relation_figure(const std::vector<RelationRow>& rows, const std::vector<Variant>& variants,
                       const std::string& metric, const std::string& part, double axis_end) {
  const std::string id = metric + "-relation" + (part.empty() ? "" : part == "first" ? "-1" : "-2");
  const std::string title =
      base::concat(subject_of(metric), " by kind of fact", part.empty() ? "" : ", ", part, part.empty() ? "" : " half");
  Figure figure{id, title, {}, {}, {}};
  BarChart chart{id, title, {}, axis_of(metric), {}, {}};
  chart.value.high = axis_end;
  for (const Variant& variant : variants) chart.series.push_back({variant.label, variant.color, {}});
  for (const RelationRow& row : rows) {
    chart.groups.push_back(
        base::concat(results::relation_label(row.relation), " (", results::count_text(row.questions), ")"));
    for (size_t v = 0; v < variants.size(); ++v) chart.series[v].bars.push_back(bar_of(metric, row.values[v]));
  }
  chart.description = base::concat("Bar chart of ", results::metric_label(metric),
                                   ", one group of bars a kind of fact.", bars_description(chart));
  figure.svg = bar_chart_svg(chart);
  figure.tables.push_back(table_of(title, "kind of fact (questions)", metric, chart));
  return figure;
}

}  // namespace

Figure wordings_figure(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  Figure figure{
      "recall-wording",
      "Recall by wording",
      "A fact is stored well when it can be recalled in words other than those it was read in: the closer the two "
      "bars of a model, the better." +
          whisker_caption(variants),
      {},
      {}};
  BarChart chart{figure.id, figure.title, {}, axis_of("recall"), {"wordings read", "wordings never read"}, {}};
  bool any = false;
  for (const Variant& variant : variants) {
    BarSeries& bars = chart.series.emplace_back(BarSeries{variant.label, variant.color, {}});
    for (const char* metric : {"recall_seen", "recall"}) {
      bars.bars.push_back(bar_of(metric, results::metric_statistic(comparison, variant.name, metric)));
      any = any || bars.bars.back();
    }
  }
  if (!any) return figure;
  chart.description = "Bar chart of recall at the end of training." + bars_description(chart);
  figure.svg = bar_chart_svg(chart);
  figure.tables.push_back(table_of(figure.title, "questions asked in", "recall", chart));
  return figure;
}

std::vector<Figure> relation_figures(const results::Comparison& comparison, const std::vector<Variant>& variants,
                                     const std::string& metric) {
  constexpr size_t kMostInOne = 12;
  const std::vector<RelationRow> rows = relation_rows(comparison, variants, metric);
  if (rows.empty()) return {};
  double axis_end = 0;
  for (const RelationRow& row : rows) {
    for (const results::Statistic& value : row.values) axis_end = std::max(axis_end, value.highest);
  }
  if (!std::isfinite(axis_end) || axis_end <= 0) axis_end = 1;
  const std::string caption =
      base::concat("All in wordings ", metric.ends_with("_seen") ? "read" : "never read",
                   "; in brackets the number of questions.", order_caption(variants), whisker_caption(variants));
  std::vector<Figure> figures;
  if (rows.size() <= kMostInOne) {
    figures.push_back(relation_figure(rows, variants, metric, "", axis_end));
    figures[0].caption = caption;
    return figures;
  }
  const auto middle = rows.begin() + static_cast<int64_t>((rows.size() + 1) / 2);
  figures.push_back(relation_figure({rows.begin(), middle}, variants, metric, "first", axis_end));
  figures.push_back(relation_figure({middle, rows.end()}, variants, metric, "second", axis_end));
  figures[0].caption = caption;
  figures[1].caption = "The first half continued, in the same order and on the same axis.";
  return figures;
}

}  // namespace memlayers::report
