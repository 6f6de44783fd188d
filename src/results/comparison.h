// Several configurations on the same data in the same order: what happened, and what it says at equal tokens, equal
// FLOPs and equal seconds. This is the content of results.json; report/experiment draws it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "results/answers.h"
#include "results/step_profile.h"

namespace memlayers::results {

/// One point of a learning curve.
struct CurvePoint {
  int64_t step = 0, tokens = 0;
  double flops = 0, seconds = 0, loss = 0;
  double recall = -1, recall_seen = -1;  // exact match on unseen and on seen wordings; -1: not asked at this point
  double nats = -1, nats_seen = -1;      // minus log-probability of the answer, mean over the questions; -1: not asked
  static constexpr auto fields() {
    using base::field;
    using C = CurvePoint;
    return std::tuple{field("step", &C::step, ""),
                      field("tokens", &C::tokens, ""),
                      field("flops", &C::flops, ""),
                      field("seconds", &C::seconds, ""),
                      field("loss", &C::loss, ""),
                      field("recall", &C::recall, ""),
                      field("recall_seen", &C::recall_seen, ""),
                      field("nats", &C::nats, ""),
                      field("nats_seen", &C::nats_seen, "")};
  }
};

struct RelationScore {
  std::string relation, wording;  // "seen" or "unseen"
  int64_t questions = 0;
  double exact_match = 0, f1 = 0, nats = 0;
  static constexpr auto fields() {
    using base::field;
    using C = RelationScore;
    return std::tuple{field("relation", &C::relation, ""),
                      field("wording", &C::wording, ""),
                      field("questions", &C::questions, ""),
                      field("exact_match", &C::exact_match, ""),
                      field("f1", &C::f1, ""),
                      field("nats", &C::nats, "")};
  }
};

/// How reads spread over a table's slots, in a comparison during the final asking: the numbers that tell a healthy
/// memory from a collapsed one. slot_usage.h makes them of counts.
struct SlotUsage {
  int64_t layer = 0, slots = 0;
  double used_share = 0;     // share of the slots that were read at least once
  double kl_to_uniform = 0;  // nats; 0: every slot was read equally often; log S: always the same slot
  double top_percent_share =
      0;  // read_share[0]: share of all reads on the most read 1 % of the slots, one slot at least
  std::vector<double> read_share;  // [100], share of all reads on each hundredth of the slots, most read first
  std::string table = "memory";    // of which kind: memory or ngrams
  static constexpr auto fields() {
    using base::field;
    using C = SlotUsage;
    return std::tuple{field("layer", &C::layer, ""),
                      field("slots", &C::slots, ""),
                      field("used_share", &C::used_share, ""),
                      field("kl_to_uniform", &C::kl_to_uniform, ""),
                      field("top_percent_share", &C::top_percent_share, ""),
                      field("read_share", &C::read_share, ""),
                      field("table", &C::table, "")};
  }
};

enum class Better { kHigher, kLower };
constexpr auto enum_names(Better) {
  return std::array{std::pair{Better::kHigher, "higher"}, std::pair{Better::kLower, "lower"}};
}

/// A number measured on a trained model beside the questions: a loss on held-out text, bits of knowledge.
struct Measure {
  std::string name;
  double value = 0;
  std::optional<Better> better = {};  // stated by every measure, but not in files from before it was
  static constexpr auto fields() {
    using base::field;
    return std::tuple{field("name", &Measure::name, ""), field("value", &Measure::value, ""),
                      field("better", &Measure::better, "")};
  }
  /// What it states; of a file that does not, losses and nats are better lower.
  Better direction() const {
    const bool lower = name.find("loss") != std::string::npos || name.find("nats") != std::string::npos;
    return better.value_or(lower ? Better::kLower : Better::kHigher);
  }
};

/// One trained model: a variant with one seed.
struct RunResult {
  std::string variant;
  uint64_t seed = 0;
  int64_t parameters = 0, table_parameters = 0;
  double flops_per_token = 0;  // training
  double tokens_per_second = 0;
  std::vector<CurvePoint> curve;
  RelationScore seen, unseen;  // relation "all"
  std::vector<RelationScore> relations;
  AnswerBreakdown answers;  // empty in older results
  std::vector<SlotUsage> slot_usage;
  std::vector<Measure> measures;      // may be empty
  std::string machine, commit, date;  // where, by which program and when it was finished; empty in older results
  static constexpr auto fields() {
    using base::field;
    using C = RunResult;
    return std::tuple{field("variant", &C::variant, ""),
                      field("seed", &C::seed, ""),
                      field("parameters", &C::parameters, ""),
                      field("table_parameters", &C::table_parameters, ""),
                      field("flops_per_token", &C::flops_per_token, ""),
                      field("tokens_per_second", &C::tokens_per_second, ""),
                      field("curve", &C::curve, ""),
                      field("seen", &C::seen, ""),
                      field("unseen", &C::unseen, ""),
                      field("relations", &C::relations, ""),
                      field("answers", &C::answers, ""),
                      field("slot_usage", &C::slot_usage, ""),
                      field("measures", &C::measures, ""),
                      field("machine", &C::machine, ""),
                      field("commit", &C::commit, ""),
                      field("date", &C::date, "")};
  }
};

/// One question as every variant's first seed answered it, for the reader to see what is counted.
struct Example {
  struct Reply {
    std::string variant, text;
    bool correct = false;  // exact match
    static constexpr auto fields() {
      using base::field;
      using C = Reply;
      return std::tuple{field("variant", &C::variant, ""), field("text", &C::text, ""),
                        field("correct", &C::correct, "")};
    }
  };
  std::string relation, wording;  // "seen" or "unseen"
  std::string prompt, answer;     // the first accepted answer
  std::vector<Reply> replies;
  static constexpr auto fields() {
    using base::field;
    using C = Example;
    return std::tuple{field("relation", &C::relation, ""), field("wording", &C::wording, ""),
                      field("prompt", &C::prompt, ""), field("answer", &C::answer, ""),
                      field("replies", &C::replies, "")};
  }
};

/// Where the time of a variant's training steps goes, from its first seed that finished.
struct VariantStep {
  std::string variant;
  uint64_t seed = 0;
  StepProfile step;
  static constexpr auto fields() {
    using base::field;
    using C = VariantStep;
    return std::tuple{field("variant", &C::variant, ""), field("seed", &C::seed, ""), field("step", &C::step, "")};
  }
};

struct Comparison {
  std::string title, description;
  std::string baseline;               // the variant others are compared with
  std::string machine, commit, date;  // of the runs: all different ones, and the first and last day
  std::string command;                // of the last call
  int64_t facts = 0, questions = 0;
  double exposures = 0;  // times each fact was read in training; 0: not known, or not the same for all runs
  std::vector<std::string> variants;  // in the order of charts and tables
  std::vector<RunResult> runs;
  std::vector<Example> examples;        // may be empty
  std::vector<VariantStep> step_times;  // may be empty
  static constexpr auto fields() {
    using base::field;
    using C = Comparison;
    return std::tuple{field("title", &C::title, ""),         field("description", &C::description, ""),
                      field("baseline", &C::baseline, ""),   field("machine", &C::machine, ""),
                      field("commit", &C::commit, ""),       field("command", &C::command, ""),
                      field("date", &C::date, ""),           field("facts", &C::facts, ""),
                      field("questions", &C::questions, ""), field("exposures", &C::exposures, ""),
                      field("variants", &C::variants, ""),   field("runs", &C::runs, ""),
                      field("examples", &C::examples, ""),   field("step_times", &C::step_times, "")};
  }
};

enum class Axis { kTokens, kFlops, kSeconds };
double position(const CurvePoint& point, Axis axis);
/// A metric that is measured on the way (metric.h) where the run's curve reaches `budget` on an axis, linear between
/// the points that have it; nothing before the first and after the last.
std::optional<double> metric_at(const RunResult& run, const std::string& metric, Axis axis, double budget);

/// Mean and sample deviation over seeds of every variant at the largest budget all runs reach.
struct Verdict {
  std::string metric;
  Better better;
  Axis axis;
  double budget;
  struct Row {
    std::string variant;
    int64_t seeds;
    double mean, deviation, lowest, highest;
  };
  std::vector<Row> rows;
};
Verdict verdict_at_equal(const Comparison& comparison, Axis axis, const std::string& metric = "recall");

}  // namespace memlayers::results
