#include "results/answers.h"

#include <algorithm>
#include <map>

namespace memlayers::results {
namespace {

/// At `share` of the way through sorted values.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto before = static_cast<size_t>(place);
  const size_t after = std::min(before + 1, sorted.size() - 1);
  return sorted[before] + (place - static_cast<double>(before)) * (sorted[after] - sorted[before]);
}

NatsSpread spread_of(const std::string& wording, std::vector<double> nats) {
  std::sort(nats.begin(), nats.end());
  const auto count = static_cast<double>(nats.size());
  NatsSpread spread{wording, static_cast<int64_t>(nats.size()), {}, 0, 0, 0};
  for (const double bound : kNatsBounds) {
    const auto end = std::lower_bound(nats.begin(), nats.end(), bound);
    spread.below.push_back(static_cast<double>(end - nats.begin()) / count);
  }
  spread.lower_quartile = quantile(nats, 0.25);
  spread.median = quantile(nats, 0.5);
  spread.upper_quartile = quantile(nats, 0.75);
  return spread;
}

LengthScore mean_of(const std::string& wording, int64_t tokens, const std::vector<const AnsweredQuestion*>& answered) {
  const auto count = static_cast<double>(answered.size());
  LengthScore score{wording, tokens, static_cast<int64_t>(answered.size()), 0, 0, 0.0};
  for (const AnsweredQuestion* one : answered) {
    score.exact_match += (one->exact_match ? 1 : 0) / count;
    score.nats += one->nats / count;
    if (!one->first_nats) score.first_nats.reset();
    if (score.first_nats) *score.first_nats += *one->first_nats / count;
  }
  return score;
}

}  // namespace

AnswerBreakdown break_down(const std::vector<AnsweredQuestion>& answered) {
  std::map<std::string, std::map<int64_t, std::vector<const AnsweredQuestion*>>> groups;  // by wording and length
  std::map<std::string, std::vector<double>> nats;
  for (const AnsweredQuestion& one : answered) {
    groups[one.wording][std::min(one.tokens, kLongAnswer)].push_back(&one);
    nats[one.wording].push_back(one.nats);
  }
  AnswerBreakdown result;
  for (const auto& [wording, lengths] : groups) {
    for (const auto& [tokens, members] : lengths) result.lengths.push_back(mean_of(wording, tokens, members));
    result.spread.push_back(spread_of(wording, std::move(nats[wording])));
  }
  return result;
}

}  // namespace memlayers::results
