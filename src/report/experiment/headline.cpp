// The sentences at the top of the report.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "report/experiment/contest.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

constexpr double kNextToNothing = 0.01;  // of recall: below that, nats tell more

/// The final scores as a verdict, so that they can be contested like one.
results::Verdict final_scores(const results::Comparison& comparison, const std::string& metric) {
  const bool higher = results::higher_is_better(comparison, metric);
  results::Verdict verdict{
      metric, higher ? results::Better::kHigher : results::Better::kLower, results::Axis::kTokens, 0, {}};
  for (const std::string& variant : comparison.variants) {
    const results::Statistic s = results::metric_statistic(comparison, variant, metric);
    if (s.count > 0) verdict.rows.push_back({variant, s.count, s.mean, s.deviation, s.lowest, s.highest});
  }
  return verdict;
}

/// The highest mean of a variant, at the end or else on the way; nothing where it was never measured.
std::optional<double> highest(const results::Comparison& comparison, const std::string& metric) {
  results::Verdict verdict = final_scores(comparison, metric);
  if (verdict.rows.empty()) verdict = results::verdict_at_equal(comparison, results::Axis::kTokens, metric);
  std::optional<double> most;
  for (const results::Verdict::Row& row : verdict.rows) most = std::max(most.value_or(row.mean), row.mean);
  return most;
}

/// "its dense twin" beside a memory model; the variant's own name where that would not be clear.
std::string called_beside(const Variant& variant) {
  return variant.baseline && variant.name == "dense" ? "its dense twin" : variant.label;
}

/// The fewest and most tokens that a run read; zeros where none says so.
std::pair<double, double> tokens_read(const results::Comparison& comparison) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const std::string& variant : comparison.variants) {
    const results::Statistic tokens = results::metric_statistic(comparison, variant, "tokens");
    if (tokens.count == 0) continue;
    low = std::min(low, tokens.lowest);
    high = std::max(high, tokens.highest);
  }
  return {high > 0 ? low : 0, high};
}

bool is_recall(const std::string& metric) { return metric == "recall" || metric == "recall_seen"; }

std::string wordings(const std::string& metric, std::string_view reader) {
  return base::concat("in wordings ", reader, metric == "recall" ? " never read" : " read");
}

std::string answer_of(const Contest& contest, const std::string& meaning) {
  // The sentence is about the model that is compared; the baseline is what it is measured by.
  const bool baseline_leads = contest.leader.baseline;
  const Variant& subject = baseline_leads ? contest.other : contest.leader;
  const Variant& reference = baseline_leads ? contest.leader : contest.other;
  const double own = baseline_leads ? contest.other_row.mean : contest.leader_row.mean;
  const double others = baseline_leads ? contest.leader_row.mean : contest.other_row.mean;
  const std::string name = called_beside(reference);
  if (!is_recall(contest.metric)) {
    const std::string_view verb = contest.level() ? " and " : baseline_leads ? " is behind " : " is ahead of ";
    return base::concat(subject.label, verb, name, contest.level() ? " are about level: " : ": ",
                        results::metric_number(contest.metric, own), contest.level() ? " and " : " against ",
                        results::metric_number(contest.metric, others), " (", meaning, ").");
  }
  const int decimals = contest.lead < 0.02 || std::max(own, others) < 0.1 ? 1 : 0;
  const std::string mine = results::percent_text(own, decimals), theirs = results::percent_text(others, decimals);
  if (contest.level()) {
    return base::concat(subject.label, " and ", name, " recall about the same share of the facts ",
                        wordings(contest.metric, "they"), ": ", mine, " and ", theirs, ".");
  }
  const std::string own_share =
      base::concat(subject.label, " recalls ", mine, " of the facts ", wordings(contest.metric, "it"));
  return baseline_leads ? base::concat(own_share, ", less than ", name, ", which recalls ", theirs, ".")
                        : base::concat(own_share, "; ", name, " recalls ", theirs, ".");
}

std::string seeds_note(const Contest& contest) {
  if (!contest.several_seeds()) {
    return "This is one run of each model (one seed), so how much a repetition would differ is not known.";
  }
  const int64_t least = std::min(contest.leader_row.seeds, contest.other_row.seeds);
  const int64_t most = std::max(contest.leader_row.seeds, contest.other_row.seeds);
  const std::string seeds = least == most ? std::to_string(least) : base::concat(least, " to ", most);
  return base::concat("Means of ", seeds, " seeds (repetitions from different random starts). ",
                      confidence_text(contest));
}

std::string seconds_note(const std::vector<Variant>& variants, const results::Verdict& verdict) {
  const std::optional<Contest> in_time = contest(variants, verdict);
  if (!in_time) return {};
  const std::string time = results::seconds_text(verdict.budget);
  const std::string leaders = results::metric_number(verdict.metric, in_time->leader_row.mean);
  if (in_time->level()) {
    return base::concat("Given the same training time (", time, "), ", in_time->leader.label, " and ",
                        in_time->other.label, " are level at ", leaders, ".");
  }
  return base::concat("Given the same training time (", time, "), ", in_time->leader.label, " is ahead of ",
                      in_time->other.label, ", ", leaders, " against ",
                      results::metric_number(verdict.metric, in_time->other_row.mean), ".");
}

/// Where the headline goes by nats because recall says nothing yet.
std::string recall_note(const results::Comparison& comparison, const std::string& metric) {
  if (metric != "nats" && metric != "nats_seen") return {};
  const std::string recall = metric == "nats" ? "recall" : "recall_seen";
  const std::optional<double> most = highest(comparison, recall);
  if (!most || *most >= kNextToNothing) return {};
  return base::concat("No model recalls more than ", results::percent_text(*most), " of the facts ",
                      wordings(recall, "it"),
                      ", so what decides is how much each one is surprised by the right "
                      "answers.");
}

std::string alone_text(const results::Verdict& verdict, const std::string& meaning) {
  const results::Verdict::Row& row = verdict.rows.front();
  const std::string label = results::variant_label(row.variant);
  const std::string known =
      is_recall(verdict.metric)
          ? base::concat(" recalls ", results::percent_text(row.mean, 0), " of the facts ",
                         wordings(verdict.metric, "it"), ".")
          : base::concat(" reaches ", results::metric_number(verdict.metric, row.mean), " (", meaning, ").");
  return base::concat(label, known, " There is no other model to compare it with.");
}

std::string text_note(const results::Comparison& comparison, const results::Verdict& verdict) {
  const auto [fewest, most] = tokens_read(comparison);
  if (most > 0 && fewest == most)
    return base::concat("All models read the same text: ", results::spoken_count(most), " tokens.");
  if (verdict.budget > 0) return base::concat("Compared ", budget_text(verdict), ", as far as every run read.");
  return base::concat("Compared where each run ended; they read between ", results::spoken_count(fewest), " and ",
                      results::spoken_count(most), " tokens.");
}

}  // namespace

std::string deciding_metric(const results::Comparison& comparison, const std::string& wanted) {
  if (!wanted.empty() && wanted != "recall" && highest(comparison, wanted)) return wanted;
  for (const auto& [recall, nats] : {std::pair{"recall", "nats"}, {"recall_seen", "nats_seen"}}) {
    const std::optional<double> most = highest(comparison, recall);
    if (most) return *most < kNextToNothing && highest(comparison, nats) ? nats : recall;
  }
  for (const results::RunResult& run : comparison.runs) {
    if (!run.measures.empty()) return run.measures.front().name;
  }
  return "recall";
}

Headline headline(const results::Comparison& comparison, const std::string& metric) {
  const std::vector<Variant> variants = summarize(comparison);
  const auto [fewest, most] = tokens_read(comparison);
  // Only at equal tokens are the final scores a fair comparison; they rest on all questions, the curves may not.
  const results::Verdict in_the_end = final_scores(comparison, metric);
  results::Verdict verdict = results::verdict_at_equal(comparison, results::Axis::kTokens, metric);
  if (verdict.rows.empty() || (fewest == most && !in_the_end.rows.empty())) verdict = in_the_end;
  Headline result;
  if (comparison.runs.empty()) {
    result.answer = "No run has finished yet.";
    return result;
  }
  const std::string meaning = metric_meaning(comparison, metric);
  const std::optional<Contest> decided = contest(variants, verdict);
  if (!decided) {
    result.answer = verdict.rows.empty() ? "The models were trained, but not asked." : alone_text(verdict, meaning);
    return result;
  }
  result.answer = answer_of(*decided, meaning);
  const std::string in_time =
      seconds_note(variants, results::verdict_at_equal(comparison, results::Axis::kSeconds, metric));
  for (const std::string& note :
       {recall_note(comparison, metric), text_note(comparison, verdict), seeds_note(*decided), in_time}) {
    if (!note.empty()) result.notes.push_back(note);
  }
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
  text += " about those facts with nothing to look them up in";
  const bool never_read = highest(comparison, "recall") || !highest(comparison, "recall_seen");
  return text + (never_read ? ", also in wordings that they had never read: only a model that has stored the fact "
                              "itself, and not just a sentence, can answer those."
                            : ", in wordings that they had read.");
}

}  // namespace memlayers::report
