#include "report/experiment/contest.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

std::optional<double> tokens_at(const results::RunResult& run, results::Axis axis, double budget) {
  double before = 0, tokens_before = 0;
  for (const results::CurvePoint& point : run.curve) {
    const double here = position(point, axis), tokens = static_cast<double>(point.tokens);
    if (here >= budget) {
      return here > before ? tokens_before + (tokens - tokens_before) * (budget - before) / (here - before) : tokens;
    }
    before = here;
    tokens_before = tokens;
  }
  return std::nullopt;
}

const Variant* find(const std::vector<Variant>& variants, const std::string& variant) {
  const auto found =
      std::find_if(variants.begin(), variants.end(), [&](const auto& one) { return one.name == variant; });
  return found == variants.end() ? nullptr : &*found;
}

}  // namespace

results::Comparison completed(results::Comparison comparison) {
  const auto listed = [&](const std::string& variant) {
    return std::find(comparison.variants.begin(), comparison.variants.end(), variant) != comparison.variants.end();
  };
  for (const results::RunResult& run : comparison.runs) {
    if (!listed(run.variant)) comparison.variants.push_back(run.variant);
  }
  if (!listed(comparison.baseline))
    comparison.baseline = comparison.variants.empty() ? "" : comparison.variants.front();
  return comparison;
}

std::vector<Variant> summarize(const results::Comparison& comparison) {
  std::vector<Variant> variants;
  int next_color = 1;
  for (const std::string& name : comparison.variants) {
    const bool baseline = name == comparison.baseline;
    const auto runs = std::count_if(comparison.runs.begin(), comparison.runs.end(),
                                    [&](const results::RunResult& run) { return run.variant == name; });
    variants.push_back({name, results::variant_label(name), baseline ? 0 : next_color++, baseline, runs});
  }
  return variants;
}

bool has_spread(const std::vector<Variant>& variants) {
  return std::any_of(variants.begin(), variants.end(), [](const Variant& variant) { return variant.runs > 1; });
}

std::optional<Contest> contest(const std::vector<Variant>& variants, const results::Verdict& verdict) {
  if (verdict.rows.size() < 2) return std::nullopt;
  const double sign = verdict.better == results::Better::kHigher ? 1 : -1;
  const auto best = [&](auto&& admitted) {
    const results::Verdict::Row* best_row = nullptr;
    for (const results::Verdict::Row& row : verdict.rows) {
      if (admitted(row) && (best_row == nullptr || sign * row.mean > sign * best_row->mean)) best_row = &row;
    }
    return best_row;
  };
  const auto is_baseline = [&](const results::Verdict::Row& row) {
    const Variant* variant = find(variants, row.variant);
    return variant != nullptr && variant->baseline;
  };
  const results::Verdict::Row* leader = best([](const results::Verdict::Row&) { return true; });
  const bool against_baseline = !is_baseline(*leader);
  const results::Verdict::Row* other =
      best([&](const results::Verdict::Row& row) { return is_baseline(row) == against_baseline; });
  if (other == nullptr)
    other = best([&](const results::Verdict::Row& row) { return &row != leader; });  // no baseline was asked
  return Contest{*find(variants, leader->variant),
                 *find(variants, other->variant),
                 *leader,
                 *other,
                 verdict.metric,
                 sign * (leader->mean - other->mean),
                 sign < 0};
}

bool Contest::level() const {
  return lead < 0.005 * (results::is_share(metric) ? 1 : std::max(std::abs(leader_row.mean), std::abs(other_row.mean)));
}

std::string lead_text(const Contest& contest) {
  if (contest.level()) return contest.leader.label + " and " + contest.other.label + " are level";
  const bool share = results::is_share(contest.metric);
  return base::concat(
      contest.leader.label, " leads ", contest.other.label, " by ",
      share ? results::points_text(contest.lead) + " points" : results::metric_number(contest.metric, contest.lead));
}

std::string confidence_text(const Contest& contest) {
  if (!contest.several_seeds()) return "One seed each: how much a repetition would differ is not known.";
  if (contest.overlapping()) return "The seeds of the two overlap, so chance may decide who is ahead.";
  return base::concat("Every seed of ", contest.leader.label, " is ahead of every seed of ", contest.other.label, ".");
}

std::string budget_text(const results::Verdict& verdict) {
  switch (verdict.axis) {
    case results::Axis::kTokens:
      return base::concat("after ", results::spoken_count(verdict.budget), " tokens");
    case results::Axis::kFlops: {
      const std::string amount = results::metric_text(verdict.budget);
      return base::concat("after ", amount, amount.find(' ') == std::string::npos ? " FLOP" : "FLOP");
    }
    case results::Axis::kSeconds:
      return base::concat("after ", results::seconds_text(verdict.budget), " of training");
  }
  return {};
}

std::string seeds_text(const std::string& metric, const results::Statistic& value) {
  if (value.count == 0) return "not asked";
  std::string text = results::metric_number(metric, value.mean);
  if (value.count > 1) {
    text += " ± " + (results::is_share(metric) ? results::points_text(value.deviation)
                                               : results::metric_number(metric, value.deviation));
  }
  return text;
}

std::string seeds_text(const std::string& metric, const results::Verdict::Row& row) {
  return seeds_text(metric, results::Statistic{row.seeds, row.mean, row.deviation, row.lowest, row.highest});
}

std::string metric_meaning(const results::Comparison& comparison, const std::string& metric) {
  const bool higher = results::higher_is_better(comparison, metric);
  return base::concat(results::metric_label(metric), "; ", higher ? "higher" : "lower", " is better");
}

std::string metric_on_the_way(const results::Comparison& comparison, const std::string& metric) {
  for (const std::string& one : {metric, std::string("recall"), std::string("recall_seen")}) {
    if (!results::verdict_at_equal(comparison, results::Axis::kTokens, one).rows.empty()) return one;
  }
  return "recall";
}

std::optional<double> tokens_at(const results::Comparison& comparison, const std::string& variant, results::Axis axis,
                                double budget) {
  std::vector<double> values;
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    if (const std::optional<double> tokens = tokens_at(run, axis, budget)) values.push_back(*tokens);
  }
  return values.empty() ? std::nullopt : std::optional(results::statistic(values).mean);
}

}  // namespace memlayers::report
