// A run's learning curve: losses from its metrics, recall and nats from the askings on the way, kept in a file so that
// an interrupted run loses none.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "evaluation/questions/asking.h"
#include "results/comparison.h"
#include "training/trainer.h"

namespace memlayers::experiments {

/// -1 in place of the scores of wordings that were not asked.
void set_scores(results::CurvePoint& point, const evaluation::Scores& scores);

class LearningCurve {
 public:
  /// Reads RUN/recall.jsonl where it exists (a torn last line is dropped).
  explicit LearningCurve(const std::filesystem::path& run);

  /// Adds or replaces the point of `report.step`, and appends it to the file. Without `scores` its recall and nats are
  /// -1 until set_scores fills them in. Throws IoError.
  void add(const training::StepReport& report, const std::optional<evaluation::Scores>& scores);
  /// The asked points and, between them, the mean losses of RUN/metrics.jsonl, steps ascending.
  std::vector<results::CurvePoint> points() const;
  /// The last asked point; null when there is none.
  const results::CurvePoint* last() const { return asked_.empty() ? nullptr : &asked_.rbegin()->second; }

 private:
  std::filesystem::path run_;
  std::map<int64_t, results::CurvePoint> asked_;  // by step
};

}  // namespace memlayers::experiments
