// Who is ahead by a metric, in numbers and in sentences; the page and the terminal table share it.
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
  results::Verdict::Row leader_row, other_row;
  std::string metric;
  double lead = 0;  // in the metric's unit, not negative
  bool lower_is_better = false;
  bool level() const;  // under half a percentage point of a share, under half a percent of another number
  bool several_seeds() const { return leader_row.seeds > 1 && other_row.seeds > 1; }
  bool overlapping() const {
    return lower_is_better ? leader_row.highest >= other_row.lowest : leader_row.lowest <= other_row.highest;
  }
};
/// Nothing with fewer than two variants.
std::optional<Contest> contest(const std::vector<Variant>& variants, const results::Verdict& verdict);
/// "Memory+ leads Dense by 23.1 points", "Memory+ leads Dense by 0.312", "Memory+ and Dense are level".
std::string lead_text(const Contest& contest);
/// How far the lead can be trusted, from the seeds: a sentence.
std::string confidence_text(const Contest& contest);

/// "after 3.03 M tokens", "after 20.6 TFLOP", "after 6 min 40 s of training".
std::string budget_text(const results::Verdict& verdict);
/// Whether a variant has several seeds.
bool has_spread(const std::vector<Variant>& variants);

/// "64.3% ± 1.2", "3.214 ± 0.051", without spread for one seed; "not asked" for none.
std::string seeds_text(const std::string& metric, const results::Statistic& value);
std::string seeds_text(const std::string& metric, const results::Verdict::Row& row);
/// "nats per answer, wordings never read; lower is better".
std::string metric_meaning(const results::Comparison& comparison, const std::string& metric);

/// What decides who is ahead: `wanted` where that is another metric than recall in wordings never read and was
/// measured. Otherwise that recall, unless all recall next to nothing: then their nats, which tell apart what no
/// answer shows yet; recall or nats in wordings read where no others were asked; then the first other measure.
std::string deciding_metric(const results::Comparison& comparison, const std::string& wanted = "");
/// What is told at equal cost: `metric` where it was measured on the way, else recall in wordings never read, or read.
std::string metric_on_the_way(const results::Comparison& comparison, const std::string& metric);

/// Tokens that a variant's runs had read (mean) where they reach `budget` on `axis`.
std::optional<double> tokens_at(const results::Comparison& comparison, const std::string& variant, results::Axis axis,
                                double budget);

/// The answer in one sentence, worded by who is ahead by `metric`, then what to know about it (seeds, equal tokens,
/// equal seconds).
struct Headline {
  std::string answer;
  std::vector<std::string> notes;
};
Headline headline(const results::Comparison& comparison, const std::string& metric);

/// What was asked, for who has never heard of it: two or three sentences.
std::string question_text(const results::Comparison& comparison);
/// What kinds of model take part, as far as their names tell; may be empty.
std::string models_text(const results::Comparison& comparison);

}  // namespace memlayers::report
