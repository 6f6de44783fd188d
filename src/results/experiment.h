// An experiment: a comparison, and what was claimed of it before it ran. This is the content of experiment.json; the
// page, the tables and the index are drawn from it.
#pragma once

#include "results/comparison.h"
#include "results/experiment_spec.h"

namespace memlayers::results {

/// Undecided: too few runs finished, or the metric was not measured.
enum class CriterionStatus { kMet, kMissed, kUndecided };
constexpr auto enum_names(CriterionStatus) {
  return std::array{std::pair{CriterionStatus::kMet, "met"}, std::pair{CriterionStatus::kMissed, "missed"},
                    std::pair{CriterionStatus::kUndecided, "undecided"}};
}

/// `value` is a mean gain (several variants: of the pair with the weakest evidence) or a mean (one), [low, high] its
/// 95 % confidence interval over seeds.
struct CriterionResult {
  std::string name, metric;
  CriterionStatus status = CriterionStatus::kUndecided;
  bool gain = false;  // of one variant over another; else a mean
  std::optional<double> value, low, high;
  int64_t seeds = 0;
  std::string note;
  static constexpr auto fields() {
    using base::field;
    using C = CriterionResult;
    return std::tuple{field("name", &C::name, ""), field("metric", &C::metric, ""), field("status", &C::status, ""),
                      field("gain", &C::gain, ""), field("value", &C::value, ""),   field("low", &C::low, ""),
                      field("high", &C::high, ""), field("seeds", &C::seeds, ""),   field("note", &C::note, "")};
  }
};

struct Experiment {
  std::string name, paper, scale;
  std::vector<std::string> metrics;  // columns of the table of variants
  std::vector<FigureSpec> figures;
  std::vector<PublishedTable> published;
  std::vector<CriterionResult> criteria;
  std::vector<std::string> failures;  // "VARIANT seed N: reason"
  std::vector<std::string> left_out;  // data that were not there
  std::string skipped;                // why nothing was run; empty: it was
  Comparison comparison;
  std::vector<RunResult> beside;  // of other experiments, for the figures: variant "many_facts-4000/dense"
  std::string told_by;  // metric of the headline, where it was measured; empty: as fits (contest.h); not in the file
  static constexpr auto fields() {
    using base::field;
    using C = Experiment;
    return std::tuple{field("name", &C::name, ""),
                      field("paper", &C::paper, ""),
                      field("scale", &C::scale, ""),
                      field("metrics", &C::metrics, ""),
                      field("figures", &C::figures, ""),
                      field("published", &C::published, ""),
                      field("criteria", &C::criteria, ""),
                      field("failures", &C::failures, ""),
                      field("left_out", &C::left_out, ""),
                      field("skipped", &C::skipped, ""),
                      field("comparison", &C::comparison, ""),
                      field("beside", &C::beside, "")};
  }
};

/// A comparison as an experiment without criteria: loss and recall on the way, recall by wording, by kind of fact and
/// by length of the answer, nats by length and over the questions, use of the tables' slots, and where a step's time
/// goes. `told_by`: see above.
Experiment experiment_of(Comparison comparison, const std::string& told_by = "");
/// What the criteria are about: recall in wordings never read where one is, else the first one's metric.
std::string criteria_metric(const std::vector<CriterionResult>& criteria);

}  // namespace memlayers::results
