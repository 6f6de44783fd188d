// Where answers are won and lost: by their length in tokens, and how nats spread over the questions.
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

using base::concat;
using results::LengthScore;
using results::NatsSpread;

bool is_nats(const std::string& metric) { return metric.starts_with("nats"); }
const char* wording_of(const std::string& metric) { return metric.ends_with("_seen") ? "seen" : "unseen"; }
const char* read_text(const std::string& metric) {
  return metric.ends_with("_seen") ? "wordings read" : "wordings never read";
}

/// Over the seeds of a variant.
template <class Value>
results::Statistic length_statistic(const results::Comparison& comparison, const std::string& variant,
                                    const std::string& wording, int64_t tokens, Value&& value) {
  std::vector<double> values;
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    for (const LengthScore& score : run.answers.lengths) {
      if (score.wording != wording || score.tokens != tokens) continue;
      const std::optional<double> one = value(score);
      if (one && std::isfinite(*one)) values.push_back(*one);
    }
  }
  return results::statistic(values);
}

/// What the answers of each length were asked, by tokens.
std::map<int64_t, int64_t> lengths_asked(const results::Comparison& comparison, const std::string& wording) {
  std::map<int64_t, int64_t> questions;
  for (const results::RunResult& run : comparison.runs) {
    for (const LengthScore& score : run.answers.lengths) {
      if (score.wording == wording) questions[score.tokens] = std::max(questions[score.tokens], score.questions);
    }
  }
  return questions;
}

std::string length_text(int64_t tokens, int64_t questions) {
  return concat(tokens,
                tokens == results::kLongAnswer ? " and more"
                : tokens == 1                  ? " token"
                                               : " tokens",
                " (", results::count_text(questions), ")");
}

/// One row a variant that has any of it, one column a length.
template <class Value>
Table length_table(const std::string& caption, const results::Comparison& comparison,
                   const std::vector<Variant>& variants, const std::string& metric, Value&& value) {
  const std::string wording = wording_of(metric);
  const std::map<int64_t, int64_t> lengths = lengths_asked(comparison, wording);
  Table table{caption, {"variant"}, {}};
  for (const auto& [tokens, questions] : lengths) table.head.push_back(length_text(tokens, questions));
  for (const Variant& variant : variants) {
    std::vector<std::string> row{variant.label};
    bool any = false;
    for (const auto& [tokens, questions] : lengths) {
      const results::Statistic s = length_statistic(comparison, variant.name, wording, tokens, value);
      row.push_back(mean_text(metric, s));
      any = any || s.count > 0;
    }
    if (any) table.rows.push_back(std::move(row));
  }
  return table;
}

Figure length_figure(const results::Comparison& comparison, const std::vector<Variant>& variants,
                     const std::string& metric) {
  const std::string subject = is_nats(metric) ? "Nats per answer" : "Recall";
  Figure figure{metric + "-length", concat(subject, " by length of the answer, ", read_text(metric)), {}, {}, {}};
  const auto value = [&](const LengthScore& score) {
    return std::optional(is_nats(metric) ? score.nats : score.exact_match);
  };
  BarChart chart{figure.id, figure.title, {}, metric_axis(metric), {}, {}};
  const std::map<int64_t, int64_t> lengths = lengths_asked(comparison, wording_of(metric));
  if (lengths.empty()) return figure;
  for (const auto& [tokens, questions] : lengths) chart.groups.push_back(length_text(tokens, questions));
  for (const Variant& variant : variants) {
    BarSeries& bars = chart.series.emplace_back(BarSeries{variant.label, variant.color, {}});
    for (const auto& [tokens, questions] : lengths) {
      bars.bars.push_back(
          bar_of(metric, length_statistic(comparison, variant.name, wording_of(metric), tokens, value)));
    }
  }
  figure.caption = concat(
      "Tokens of the first accepted answer, its full stop not counted; in brackets the number of "
      "questions.",
      is_nats(metric) ? "" : " An answer counts where every token of it is right.", whisker_caption(variants));
  chart.description = concat("Bar chart of ", results::metric_label(metric),
                             ", one group of bars a length of the answer.", bars_description(chart));
  figure.svg = bar_chart_svg(chart);
  figure.tables.push_back(length_table(figure.title, comparison, variants, metric, value));
  if (!is_nats(metric)) return figure;
  Table first = length_table(concat("Nats of the answer's first token alone, ", read_text(metric)), comparison,
                             variants, metric, [](const LengthScore& score) { return score.first_nats; });
  if (!first.rows.empty()) figure.tables.push_back(std::move(first));
  return figure;
}

template <class Value>
results::Statistic spread_statistic(const results::Comparison& comparison, const std::string& variant,
                                    const std::string& wording, Value&& value) {
  std::vector<double> values;
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    for (const NatsSpread& spread : run.answers.spread) {
      if (spread.wording == wording && spread.below.size() == results::kNatsBounds.size())
        values.push_back(value(spread));
    }
  }
  return results::statistic(values);
}

std::string bound_text(double bound) { return results::decimal_text(bound, bound < 1 ? 1 : 0); }

Figure spread_figure(const results::Comparison& comparison, const std::vector<Variant>& variants,
                     const std::string& metric) {
  const std::string wording = wording_of(metric);
  Figure figure{metric + "-spread", concat("Spread of nats over the questions, ", read_text(metric)), {}, {}, {}};
  LineChart chart{figure.id, figure.title, "Line chart of the share of questions below so many nats.", {}, {}, {}};
  chart.x = {"nats per answer", true, results::kNatsBounds.front(), results::kNatsBounds.back(), bound_text};
  chart.y = {"share of questions below", false, 0.0, 1.0, [](double v) { return results::percent_text(v, 0); }};
  Table table{figure.title, {"variant"}, {}};
  for (const double bound : results::kNatsBounds) table.head.push_back("below " + bound_text(bound));
  for (const char* name : {"lower quartile", "median", "upper quartile"}) table.head.emplace_back(name);
  for (const Variant& variant : variants) {
    LineSeries line{variant.label, variant.color, 0, true, {}, {}};
    std::vector<std::string> row{variant.label};
    for (size_t b = 0; b < results::kNatsBounds.size(); ++b) {
      const results::Statistic s = spread_statistic(comparison, variant.name, wording,
                                                    [b](const NatsSpread& spread) { return spread.below[b]; });
      if (s.count == 0) break;
      const std::string text = range_text("recall", s);  // a share
      line.points.push_back({results::kNatsBounds[b], s.mean, s.lowest, s.highest,
                             concat(variant.label, ", below ", bound_text(results::kNatsBounds[b]), ": ", text)});
      row.push_back(mean_text("recall", s));
    }
    if (line.points.empty()) continue;
    for (const auto quartile : {&NatsSpread::lower_quartile, &NatsSpread::median, &NatsSpread::upper_quartile}) {
      row.push_back(mean_text(metric, spread_statistic(comparison, variant.name, wording,
                                                       [&](const NatsSpread& spread) { return spread.*quartile; })));
    }
    chart.series.push_back(std::move(line));
    table.rows.push_back(std::move(row));
  }
  if (chart.series.empty()) return figure;
  figure.caption = concat(
      "How many of the questions have an answer that costs the model fewer nats: few questions at "
      "many nats lift the mean and leave recall as it is.",
      has_spread(variants) ? " Line: mean over seeds; shaded: lowest to highest seed." : "");
  figure.svg = line_chart_svg(chart);
  figure.tables.push_back(std::move(table));
  return figure;
}

}  // namespace

std::vector<Figure> answer_figures(const results::Comparison& comparison, const std::vector<Variant>& variants,
                                   const std::string& metric) {
  std::vector<Figure> figures{length_figure(comparison, variants, metric)};
  if (is_nats(metric)) figures.push_back(spread_figure(comparison, variants, metric));
  return figures;
}

}  // namespace memlayers::report
