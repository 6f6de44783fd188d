#include "results/metric.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "results/number_text.h"

namespace memlayers::results {
namespace {

std::optional<double> asked(const RelationScore& score, double value) {
  return score.questions > 0 ? std::optional(value) : std::nullopt;
}

struct KnownMetric {
  std::string_view name, label;
  Better better;
  std::string (*text)(double);
  std::optional<double> (*value)(const RunResult&);
  double CurvePoint::*on_the_way = nullptr;
};

std::string share_text(double value) { return percent_text(value); }
std::string three_decimals(double value) { return decimal_text(value, 3); }
std::string count_like(double value) { return metric_text(value); }
std::string duration_text(double value) { return seconds_text(value); }

std::optional<double> final_loss(const RunResult& run) {
  std::vector<double> losses;
  for (const CurvePoint& point : run.curve) {
    // Points between askings are means over a window of steps; an asking's own point is a single step.
    if (point.recall < 0 && point.recall_seen < 0 && 10 * point.step > 9 * run.curve.back().step)
      losses.push_back(point.loss);
  }
  return losses.empty() ? std::nullopt : std::optional(statistic(losses).mean);
}

// Mean over the layers that read tables.
std::optional<double> over_layers(const RunResult& run, double SlotUsage::*number) {
  std::vector<double> values;
  for (const SlotUsage& usage : run.slot_usage) values.push_back(usage.*number);
  return values.empty() ? std::nullopt : std::optional(statistic(values).mean);
}

constexpr std::array<KnownMetric, 14> kKnown{{
    {"recall", "recall, wordings never read", Better::kHigher, share_text,
     [](const RunResult& run) { return asked(run.unseen, run.unseen.exact_match); }, &CurvePoint::recall},
    {"recall_seen", "recall, wordings read", Better::kHigher, share_text,
     [](const RunResult& run) { return asked(run.seen, run.seen.exact_match); }, &CurvePoint::recall_seen},
    {"f1", "F1, wordings never read", Better::kHigher, three_decimals,
     [](const RunResult& run) { return asked(run.unseen, run.unseen.f1); }},
    {"nats", "nats per answer, wordings never read", Better::kLower, three_decimals,
     [](const RunResult& run) { return asked(run.unseen, run.unseen.nats); }, &CurvePoint::nats},
    {"nats_seen", "nats per answer, wordings read", Better::kLower, three_decimals,
     [](const RunResult& run) { return asked(run.seen, run.seen.nats); }, &CurvePoint::nats_seen},
    {"loss", "training loss, last tenth of the steps", Better::kLower, three_decimals, final_loss},
    {"used_slots", "slots read while asked", Better::kHigher, share_text,
     [](const RunResult& run) { return over_layers(run, &SlotUsage::used_share); }},
    {"read_kl", "reads against even ones, nats (KL)", Better::kLower, three_decimals,
     [](const RunResult& run) { return over_layers(run, &SlotUsage::kl_to_uniform); }},
    {"parameters", "parameters", Better::kLower, count_like,
     [](const RunResult& run) { return std::optional(static_cast<double>(run.parameters)); }},
    {"table_parameters", "in tables", Better::kLower, count_like,
     [](const RunResult& run) { return std::optional(static_cast<double>(run.table_parameters)); }},
    {"tokens", "tokens read", Better::kLower, count_like,
     [](const RunResult& run) {
       return run.curve.empty() ? std::nullopt : std::optional(static_cast<double>(run.curve.back().tokens));
     }},
    {"flops_per_token", "training FLOPs per token", Better::kLower, count_like,
     [](const RunResult& run) { return std::optional(run.flops_per_token); }},
    {"seconds", "training time", Better::kLower, duration_text,
     [](const RunResult& run) { return run.curve.empty() ? std::nullopt : std::optional(run.curve.back().seconds); }},
    {"tokens_per_second", "tokens per second", Better::kHigher, count_like,
     [](const RunResult& run) {
       return run.tokens_per_second > 0 ? std::optional(run.tokens_per_second) : std::nullopt;
     }},
}};

const KnownMetric* known(const std::string& metric) {
  const auto found = std::find_if(kKnown.begin(), kKnown.end(), [&](const KnownMetric& k) { return k.name == metric; });
  return found == kKnown.end() ? nullptr : &*found;
}

}  // namespace

std::optional<double> metric_value(const RunResult& run, const std::string& metric) {
  if (const KnownMetric* one = known(metric)) return one->value(run);
  const auto found =
      std::find_if(run.measures.begin(), run.measures.end(), [&](const Measure& m) { return m.name == metric; });
  return found == run.measures.end() ? std::nullopt : std::optional(found->value);
}

bool is_curve_metric(const std::string& metric) {
  const KnownMetric* one = known(metric);
  return one != nullptr && one->on_the_way != nullptr;
}

std::optional<double> curve_value(const CurvePoint& point, const std::string& metric) {
  if (!is_curve_metric(metric)) return std::nullopt;
  const double value = point.*known(metric)->on_the_way;
  return value >= 0 ? std::optional(value) : std::nullopt;
}

std::vector<std::string> general_metrics() {
  std::vector<std::string> names;
  for (const KnownMetric& metric : kKnown) names.emplace_back(metric.name);
  return names;
}

bool is_general_metric(const std::string& metric) { return known(metric) != nullptr; }

bool higher_is_better(const Comparison& comparison, const std::string& metric) {
  if (const KnownMetric* one = known(metric)) return one->better == Better::kHigher;
  for (const RunResult& run : comparison.runs) {
    for (const Measure& measure : run.measures) {
      if (measure.name == metric) return measure.direction() == Better::kHigher;
    }
  }
  return true;
}

bool is_share(const std::string& metric) {
  const KnownMetric* one = known(metric);
  return one != nullptr && one->text == share_text;
}

std::string metric_label(const std::string& metric) {
  if (const KnownMetric* one = known(metric)) return std::string(one->label);
  return relation_label(metric);
}

std::string metric_number(const std::string& metric, double value) {
  if (const KnownMetric* one = known(metric)) return one->text(value);
  return std::abs(value) >= 10000 ? metric_text(value) : decimal_text(value, 3);
}

Statistic metric_statistic(const Comparison& comparison, const std::string& variant, const std::string& metric) {
  std::vector<double> values;
  for (const RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    const std::optional<double> value = metric_value(run, metric);
    if (value && std::isfinite(*value)) values.push_back(*value);
  }
  return statistic(values);
}

}  // namespace memlayers::results
