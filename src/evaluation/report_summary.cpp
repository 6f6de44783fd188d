#include "evaluation/report_summary.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "evaluation/report_format.h"

namespace memlayers::evaluation {
namespace {

std::vector<double> values_of(const std::vector<const RunResult*>& runs, auto&& value) {
  std::vector<double> values;
  for (const RunResult* run : runs) {
    const std::optional<double> one = value(*run);
    if (one && std::isfinite(*one)) values.push_back(*one);
  }
  return values;
}

auto asked_value(RelationScore RunResult::*wording, double RelationScore::*number) {
  return [=](const RunResult& run) -> std::optional<double> {
    const RelationScore& score = run.*wording;
    return score.questions > 0 ? std::optional(score.*number) : std::nullopt;
  };
}

VariantSummary summary_of(const std::string& variant, const std::vector<const RunResult*>& runs) {
  VariantSummary summary;
  summary.variant = variant;
  summary.label = variant_label(variant);
  summary.runs = static_cast<int64_t>(runs.size());
  if (!runs.empty()) {
    summary.parameters = runs.front()->parameters;
    summary.table_parameters = runs.front()->table_parameters;
    summary.flops_per_token = runs.front()->flops_per_token;
  }
  summary.tokens = statistic(values_of(runs, [](const RunResult& run) -> std::optional<double> {
    return run.curve.empty() ? std::nullopt : std::optional(static_cast<double>(run.curve.back().tokens));
  }));
  summary.tokens_per_second = statistic(values_of(runs, [](const RunResult& run) -> std::optional<double> {
    return run.tokens_per_second > 0 ? std::optional(run.tokens_per_second) : std::nullopt;
  }));
  summary.seen = statistic(values_of(runs, asked_value(&RunResult::seen, &RelationScore::exact_match)));
  summary.unseen = statistic(values_of(runs, asked_value(&RunResult::unseen, &RelationScore::exact_match)));
  summary.f1 = statistic(values_of(runs, asked_value(&RunResult::unseen, &RelationScore::f1)));
  summary.nats = statistic(values_of(runs, asked_value(&RunResult::unseen, &RelationScore::nats)));
  return summary;
}

std::optional<double> tokens_at(const RunResult& run, Axis axis, double budget) {
  double before = 0, tokens_before = 0;
  for (const CurvePoint& point : run.curve) {
    const double here = position(point, axis), tokens = static_cast<double>(point.tokens);
    if (here >= budget) {
      return here > before ? tokens_before + (tokens - tokens_before) * (budget - before) / (here - before) : tokens;
    }
    before = here;
    tokens_before = tokens;
  }
  return std::nullopt;
}

const VariantSummary* find(const std::vector<VariantSummary>& variants, const std::string& variant) {
  const auto found =
      std::find_if(variants.begin(), variants.end(), [&](const auto& one) { return one.variant == variant; });
  return found == variants.end() ? nullptr : &*found;
}

}  // namespace

Comparison completed(Comparison comparison) {
  const auto listed = [&](const std::string& variant) {
    return std::find(comparison.variants.begin(), comparison.variants.end(), variant) != comparison.variants.end();
  };
  for (const RunResult& run : comparison.runs) {
    if (!listed(run.variant)) comparison.variants.push_back(run.variant);
  }
  if (!listed(comparison.baseline))
    comparison.baseline = comparison.variants.empty() ? "" : comparison.variants.front();
  return comparison;
}

std::vector<VariantSummary> summarize(const Comparison& comparison) {
  std::vector<VariantSummary> summaries;
  int next_color = 1;
  for (const std::string& variant : comparison.variants) {
    std::vector<const RunResult*> runs;
    for (const RunResult& run : comparison.runs) {
      if (run.variant == variant) runs.push_back(&run);
    }
    VariantSummary summary = summary_of(variant, runs);
    summary.baseline = variant == comparison.baseline;
    summary.color = summary.baseline ? 0 : next_color++;
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

std::optional<Contest> contest(const std::vector<VariantSummary>& variants, const Verdict& verdict) {
  if (verdict.rows.size() < 2) return std::nullopt;
  const auto best = [&](auto&& admitted) {
    const Verdict::Row* best_row = nullptr;
    for (const Verdict::Row& row : verdict.rows) {
      if (admitted(row) && (best_row == nullptr || row.mean > best_row->mean)) best_row = &row;
    }
    return best_row;
  };
  const auto is_baseline = [&](const Verdict::Row& row) {
    const VariantSummary* variant = find(variants, row.variant);
    return variant != nullptr && variant->baseline;
  };
  const Verdict::Row* leader = best([](const Verdict::Row&) { return true; });
  const bool against_baseline = !is_baseline(*leader);
  const Verdict::Row* other = best([&](const Verdict::Row& row) { return is_baseline(row) == against_baseline; });
  if (other == nullptr) other = best([&](const Verdict::Row& row) { return &row != leader; });  // no baseline was asked
  return Contest{*find(variants, leader->variant), *find(variants, other->variant), *leader, *other,
                 leader->mean - other->mean};
}

std::string lead_text(const Contest& contest) {
  if (contest.level()) return contest.leader.label + " and " + contest.other.label + " are level";
  return base::concat(contest.leader.label, " leads ", contest.other.label, " by ", points_text(contest.lead),
                      " points");
}

std::string confidence_text(const Contest& contest) {
  if (!contest.several_seeds()) return "One seed each: how much a repetition would differ is not known.";
  if (contest.overlapping()) return "The seeds of the two overlap, so chance may decide who is ahead.";
  return base::concat("Every seed of ", contest.leader.label, " is ahead of every seed of ", contest.other.label, ".");
}

std::string budget_text(const Verdict& verdict) {
  switch (verdict.axis) {
    case Axis::kTokens:
      return base::concat("after ", spoken_count(verdict.budget), " tokens");
    case Axis::kFlops: {
      const std::string amount = metric_text(verdict.budget);
      return base::concat("after ", amount, amount.find(' ') == std::string::npos ? " FLOP" : "FLOP");
    }
    case Axis::kSeconds:
      return base::concat("after ", seconds_text(verdict.budget), " of training");
  }
  return {};
}

std::string recall_text(const Statistic& recall) {
  if (recall.count == 0) return "not asked";
  return percent_text(recall.mean) + (recall.count > 1 ? " ± " + points_text(recall.deviation) : "");
}

std::string recall_text(const Verdict::Row& row) {
  return recall_text(Statistic{row.seeds, row.mean, row.deviation, row.lowest, row.highest});
}

std::optional<double> tokens_at(const Comparison& comparison, const std::string& variant, Axis axis, double budget) {
  std::vector<double> values;
  for (const RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    if (const std::optional<double> tokens = tokens_at(run, axis, budget)) values.push_back(*tokens);
  }
  return values.empty() ? std::nullopt : std::optional(statistic(values).mean);
}

}  // namespace memlayers::evaluation
