#include "results/criteria.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::results {
namespace {

using base::concat;

/// 0.975 quantile of Student's t with `freedom` degrees of freedom; beyond the table its next smaller entry, which is
/// wider.
double student_t(int64_t freedom) {
  constexpr std::array<double, 30> kTable{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                          2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                          2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  return kTable[static_cast<size_t>(std::clamp<int64_t>(freedom, 1, kTable.size()) - 1)];
}

using BySeed = std::map<uint64_t, double>;

bool takes_part(const CriterionSpec& criterion, const RunResult& run) {
  return std::find(criterion.order.begin(), criterion.order.end(), run.variant) != criterion.order.end();
}

/// The metric of every run that takes part, by variant and seed.
std::map<std::string, BySeed> values_of(const CriterionSpec& criterion, const Comparison& comparison) {
  std::map<std::string, BySeed> values;
  const bool at_end = criterion.at == "end";
  const Axis axis = criterion.at == "seconds" ? Axis::kSeconds : criterion.at == "flops" ? Axis::kFlops : Axis::kTokens;
  double budget = std::numeric_limits<double>::infinity();
  for (const RunResult& run : comparison.runs) {
    if (!at_end && takes_part(criterion, run) && !run.curve.empty())
      budget = std::min(budget, position(run.curve.back(), axis));
  }
  for (const RunResult& run : comparison.runs) {
    if (!takes_part(criterion, run)) continue;
    const std::optional<double> value =
        at_end ? metric_value(run, criterion.metric) : metric_at(run, criterion.metric, axis, budget);
    if (value) values[run.variant][run.seed] = *value;
  }
  return values;
}

struct Pair {
  std::string worse, better;
  MeanInterval gain;
  bool overlap = false;  // of the two ranges over seeds
};

Pair compare_pair(const BySeed& worse, const BySeed& better, double sign) {
  std::vector<double> gains;
  double worst_of_better = std::numeric_limits<double>::infinity(), best_of_worse = -worst_of_better;
  for (const auto& [seed, value] : worse) {
    const auto other = better.find(seed);
    if (other == better.end()) continue;
    gains.push_back(sign * (other->second - value));
    worst_of_better = std::min(worst_of_better, sign * other->second);
    best_of_worse = std::max(best_of_worse, sign * value);
  }
  return {{}, {}, mean_interval(gains), worst_of_better <= best_of_worse};
}

void set_value(CriterionResult& result, const MeanInterval& interval) {
  result.value = interval.mean;
  result.seeds = interval.count;
  if (interval.count > 1) result.low = interval.low, result.high = interval.high;
}

/// `sign`: -1 where a lower number is better.
void decide_order(const CriterionSpec& criterion, double sign, int64_t seeds, std::map<std::string, BySeed>& values,
                  CriterionResult& result) {
  result.gain = true;
  const double needed = criterion.at_least.value_or(0);
  std::optional<Pair> weakest, incomplete;
  int64_t shown = 0, missed = 0;
  const auto pairs = static_cast<int64_t>(criterion.order.size()) - 1;
  for (int64_t i = 0; i < pairs; ++i) {
    const std::string &worse = criterion.order[static_cast<size_t>(i)],
                      &better = criterion.order[static_cast<size_t>(i) + 1];
    Pair pair = compare_pair(values[worse], values[better], sign);
    pair.worse = variant_label(worse);
    pair.better = variant_label(better);
    if (pair.gain.count < seeds) {
      incomplete = pair;
      continue;
    }
    ++(pair.gain.low > needed ? shown : missed);
    if (!weakest || pair.gain.low < weakest->gain.low) weakest = pair;
  }
  const Pair& told = missed > 0 || !incomplete ? *weakest : *incomplete;
  if (told.gain.count > 0) set_value(result, told.gain);
  result.note = concat(told.better, " over ", told.worse);
  if (missed == 0 && incomplete) {
    result.note += concat(": ", told.gain.count, " of ", seeds, " seeds");
    return;
  }
  result.status = missed == 0 ? CriterionStatus::kMet : CriterionStatus::kMissed;
  result.note += concat("; their ranges over seeds ", told.overlap ? "overlap" : "do not overlap");
  if (pairs > 1) result.note = concat(shown, " of ", pairs, " steps shown; weakest: ", result.note);
}

void decide_value(const CriterionSpec& criterion, int64_t seeds, const BySeed& values, CriterionResult& result) {
  std::vector<double> numbers;
  for (const auto& [seed, value] : values) numbers.push_back(value);
  if (numbers.empty()) {
    result.note = "not measured";
    return;
  }
  const MeanInterval interval = mean_interval(numbers);
  set_value(result, interval);
  if (interval.count < seeds) {
    result.note = concat(interval.count, " of ", seeds, " seeds");
    return;
  }
  const bool enough = !criterion.at_least || interval.low >= *criterion.at_least;
  const bool few = !criterion.at_most || interval.high <= *criterion.at_most;
  result.status = enough && few ? CriterionStatus::kMet : CriterionStatus::kMissed;
  if (criterion.at_least) result.note += concat("at least ", metric_number(criterion.metric, *criterion.at_least));
  if (criterion.at_most)
    result.note +=
        concat(result.note.empty() ? "" : ", ", "at most ", metric_number(criterion.metric, *criterion.at_most));
}

}  // namespace

MeanInterval mean_interval(const std::vector<double>& values) {
  const Statistic s = statistic(values);
  const double half = s.count > 1 ? student_t(s.count - 1) * s.deviation / std::sqrt(static_cast<double>(s.count)) : 0;
  return {s.count, s.mean, s.mean - half, s.mean + half};
}

CriterionResult decide(const CriterionSpec& criterion, const Comparison& comparison, int64_t seeds) {
  CriterionResult result;
  result.name = criterion.name;
  result.metric = criterion.metric;
  std::map<std::string, BySeed> values = values_of(criterion, comparison);
  seeds = std::max<int64_t>(2, seeds);  // one decides nothing
  if (criterion.order.size() > 1) {
    decide_order(criterion, higher_is_better(comparison, criterion.metric) ? 1 : -1, seeds, values, result);
  } else {
    decide_value(criterion, seeds, values[criterion.order.at(0)], result);
  }
  return result;
}

}  // namespace memlayers::results
