// The sentences at the top of the report.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "report/experiment/contest.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

/// The final scores as a verdict, so that they can be contested like one.
results::Verdict final_scores(const results::Comparison& comparison) {
  results::Verdict verdict{results::Axis::kTokens, 0, {}};
  for (const std::string& variant : comparison.variants) {
    const results::Statistic recall = results::metric_statistic(comparison, variant, "recall");
    if (recall.count == 0) continue;
    verdict.rows.push_back({variant, recall.count, recall.mean, recall.deviation, recall.lowest, recall.highest});
  }
  return verdict;
}

/// "its dense twin" beside a memory model; the variant's own name where that would not be clear.
std::string called_beside(const Variant& variant) {
  return variant.baseline && variant.name == "dense" ? "its dense twin" : variant.label;
}

/// Tokens that every run read, where they all read equally many.
std::optional<double> same_tokens(const results::Comparison& comparison) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const std::string& variant : comparison.variants) {
    const results::Statistic tokens = results::metric_statistic(comparison, variant, "tokens");
    if (tokens.count == 0) continue;
    low = std::min(low, tokens.lowest);
    high = std::max(high, tokens.highest);
  }
  return high > 0 && low == high ? std::optional(high) : std::nullopt;
}

std::string answer_of(const Contest& contest) {
  // The sentence is about the model that is compared; the baseline is what it is measured by.
  const bool baseline_leads = contest.leader.baseline;
  const Variant& subject = baseline_leads ? contest.other : contest.leader;
  const Variant& reference = baseline_leads ? contest.leader : contest.other;
  const double own = baseline_leads ? contest.other_recall.mean : contest.leader_recall.mean;
  const double others = baseline_leads ? contest.leader_recall.mean : contest.other_recall.mean;
  const int decimals = contest.lead < 0.02 || std::max(own, others) < 0.1 ? 1 : 0;
  const std::string mine = results::percent_text(own, decimals), theirs = results::percent_text(others, decimals);
  const std::string name = called_beside(reference);
  if (contest.level()) {
    return base::concat(subject.label, " and ", name,
                        " recall about the same share of the facts in wordings they never read: ", mine, " and ",
                        theirs, ".");
  }
  if (baseline_leads) {
    return base::concat(subject.label, " recalls ", mine, " of the facts in wordings it never read, less than ", name,
                        ", which recalls ", theirs, ".");
  }
  return base::concat(subject.label, " recalls ", mine, " of the facts in wordings it never read; ", name, " recalls ",
                      theirs, ".");
}

std::string seeds_note(const Contest& contest) {
  if (!contest.several_seeds()) {
    return "This is one run of each model (one seed), so how much a repetition would differ is not known.";
  }
  const int64_t least = std::min(contest.leader_recall.seeds, contest.other_recall.seeds);
  const int64_t most = std::max(contest.leader_recall.seeds, contest.other_recall.seeds);
  const std::string seeds = least == most ? std::to_string(least) : base::concat(least, " to ", most);
  return base::concat("Means of ", seeds, " seeds (repetitions from different random starts). ",
                      confidence_text(contest));
}

std::string seconds_note(const std::vector<Variant>& variants, const results::Verdict& verdict) {
  const std::optional<Contest> in_time = contest(variants, verdict);
  if (!in_time) return {};
  const std::string time = results::seconds_text(verdict.budget);
  if (in_time->level()) {
    return base::concat("Given the same training time (", time, "), ", in_time->leader.label, " and ",
                        in_time->other.label, " are level at ", results::percent_text(in_time->leader_recall.mean),
                        ".");
  }
  return base::concat("Given the same training time (", time, "), ", in_time->leader.label, " is ahead of ",
                      in_time->other.label, ", ", results::percent_text(in_time->leader_recall.mean), " against ",
                      results::percent_text(in_time->other_recall.mean), ".");
}

}  // namespace

Headline headline(const results::Comparison& comparison) {
  const std::vector<Variant> variants = summarize(comparison);
  const std::optional<double> tokens = same_tokens(comparison);
  // Only at equal tokens are the final scores a fair comparison; they rest on all questions, the curves may not.
  results::Verdict verdict =
      tokens ? final_scores(comparison) : results::verdict_at_equal(comparison, results::Axis::kTokens);
  if (verdict.rows.empty()) verdict = results::verdict_at_equal(comparison, results::Axis::kTokens);
  Headline result;
  if (comparison.runs.empty()) {
    result.answer = "No run has finished yet.";
    return result;
  }
  const std::optional<Contest> decided = contest(variants, verdict);
  if (!decided) {
    result.answer =
        verdict.rows.empty()
            ? "The models were trained, but not asked."
            : base::concat(results::variant_label(verdict.rows.front().variant), " recalls ",
                           results::percent_text(verdict.rows.front().mean, 0),
                           " of the facts in wordings it never read. There is no other model to compare it with.");
    return result;
  }
  result.answer = answer_of(*decided);
  result.notes.push_back(
      tokens ? base::concat("All models read the same text: ", results::spoken_count(*tokens), " tokens.")
             : base::concat("Compared ", budget_text(verdict), ", as far as every run read."));
  result.notes.push_back(seeds_note(*decided));
  const std::string in_time = seconds_note(variants, results::verdict_at_equal(comparison, results::Axis::kSeconds));
  if (!in_time.empty()) result.notes.push_back(in_time);
  return result;
}

std::string models_text(const results::Comparison& comparison) {
  std::string text;
  const auto add = [&](const std::string& label, std::string_view meaning) {
    const bool there =
        std::any_of(comparison.variants.begin(), comparison.variants.end(),
                    [&](const std::string& variant) { return results::variant_label(variant) == label; });
    if (there) text += base::concat(text.empty() ? "" : " ", label, meaning);
  };
  add("Dense", " is an ordinary transformer.");
  add("Memory",
      " is a transformer in which a lookup in a large learned table takes the place of a feed-forward layer.");
  add("Memory+",
      " is a transformer in which lookups in one large learned table, each with a gate, take the place of some of the "
      "feed-forward layers: it has many more parameters, but reads only a few rows of the table for each token.");
  return text;
}

std::string question_text(const results::Comparison& comparison) {
  std::string text = "Small language models read ";
  text += comparison.facts > 0 ? results::count_text(comparison.facts) + " facts" : "facts";
  if (comparison.exposures > 0) {
    const int decimals = comparison.exposures < 10 && comparison.exposures != std::round(comparison.exposures) ? 1 : 0;
    text += base::concat(", each about ", results::decimal_text(comparison.exposures, decimals), " times");
  }
  text += ", written in several wordings. Then they were asked ";
  text += comparison.questions > 0 ? results::count_text(comparison.questions) + " questions" : "questions";
  text +=
      " about those facts with nothing to look them up in, also in wordings that they had never read: only a model "
      "that has stored the fact itself, and not just a sentence, can answer those.";
  return text;
}

}  // namespace memlayers::report
