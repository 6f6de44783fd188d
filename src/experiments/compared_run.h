// One variant with one seed: trained, asked, measured.
#pragma once

#include <optional>

#include "base/error.h"
#include "data/question.h"
#include "evaluation/questions/asking.h"
#include "evaluation/tables/slot_counter.h"
#include "experiments/compare_runs.h"
#include "experiments/learning_curve.h"
#include "text/tokenizer.h"

namespace memlayers::experiments {

/// What is passed in outlives it.
class ComparedRun {
 public:
  ComparedRun(const ComparePlan& plan, const CompareOptions& options, size_t variant, uint64_t seed,
              const std::vector<data::Question>& questions, const text::Tokenizer& tokenizer);

  const std::string& name() const { return name_; }
  const training::TrainConfig& config() const { return config_; }
  const std::string& variant() const { return plan_.config.variants[variant_].name; }
  /// Its folder within the comparison's, "VARIANT/seed-N".
  std::string folder_name() const { return base::concat(variant(), "/", folder_.filename().string()); }
  /// What its process printed, where it had one of its own.
  std::filesystem::path log() const { return folder_.string() + ".log"; }

  /// The result of an earlier call, with the breakdown of its answers where an older program left that out; nothing
  /// when the run is not finished.
  std::optional<results::RunResult> finished() const;
  /// Trains and asks. Nothing when interrupted. Throws what training and asking throw. `after_step` as in TrainOptions.
  std::optional<results::RunResult> execute(const std::function<void(const training::StepReport&)>& after_step);

 private:
  bool train(LearningCurve& curve, const std::function<void(const training::StepReport&)>& after_step);
  void ask_on_the_way(const training::StepReport& report, model::Transformer& model, LearningCurve& curve);
  results::RunResult gather(const model::Transformer& model, const evaluation::Scores& scores,
                            const evaluation::SlotCounter& counter, const LearningCurve& curve) const;

  const ComparePlan& plan_;
  const CompareOptions& options_;
  size_t variant_;
  uint64_t seed_;
  const std::vector<data::Question>& questions_;
  const text::Tokenizer& tokenizer_;
  training::TrainConfig config_;
  std::filesystem::path folder_;
  std::string name_;
};

}  // namespace memlayers::experiments
