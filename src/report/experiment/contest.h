// Who knows more, in numbers and in sentences; the page and the terminal table share it.
#pragma once

#include <string>
#include <vector>

#include "results/comparison.h"
#include "results/statistic.h"

namespace memlayers::report {

/// A variant as charts and sentences name it.
struct Variant {
  std::string name, label;
  int color = 0;  // of its series: the baseline has 0, the others follow in order
  bool baseline = false;
  int64_t runs = 0;  // seeds
};

/// `comparison` with every variant of its runs listed and a baseline that exists (else the first variant).
results::Comparison completed(results::Comparison comparison);

/// In the order of comparison.variants; `comparison` is completed.
std::vector<Variant> summarize(const results::Comparison& comparison);

/// Two variants side by side: the leader, and the best of those it is fairly set against (the baseline, or, when that
/// leads, the best of the others).
struct Contest {
  Variant leader, other;
  results::Verdict::Row leader_recall, other_recall;
  double lead = 0;                             // shares, not negative
  bool level() const { return lead < 0.005; }  // under half a percentage point
  bool several_seeds() const { return leader_recall.seeds > 1 && other_recall.seeds > 1; }
  bool overlapping() const { return leader_recall.lowest <= other_recall.highest; }
};
/// Nothing with fewer than two variants.
std::optional<Contest> contest(const std::vector<Variant>& variants, const results::Verdict& verdict);
/// "Memory+ leads Dense by 23.1 points", "Memory+ and Dense are level".
std::string lead_text(const Contest& contest);
/// How far the lead can be trusted, from the seeds: a sentence.
std::string confidence_text(const Contest& contest);

/// "after 3.03 M tokens", "after 20.6 TFLOP", "after 6 min 40 s of training".
std::string budget_text(const results::Verdict& verdict);
/// Whether a variant has several seeds.
bool has_spread(const std::vector<Variant>& variants);

/// "64.3% ± 1.2", without spread for one seed; "not asked" for none.
std::string recall_text(const results::Statistic& recall);
std::string recall_text(const results::Verdict::Row& row);

/// Tokens that a variant's runs had read (mean) where they reach `budget` on `axis`.
std::optional<double> tokens_at(const results::Comparison& comparison, const std::string& variant, results::Axis axis,
                                double budget);

/// The answer in one sentence, worded by who is ahead, then what to know about it (seeds, equal tokens, equal seconds).
struct Headline {
  std::string answer;
  std::vector<std::string> notes;
};
Headline headline(const results::Comparison& comparison);

/// What was asked, for who has never heard of it: two or three sentences.
std::string question_text(const results::Comparison& comparison);
/// What kinds of model take part, as far as their names tell; may be empty.
std::string models_text(const results::Comparison& comparison);

}  // namespace memlayers::report
