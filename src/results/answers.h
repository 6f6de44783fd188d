// Where answers are won and lost: by their length in tokens, and over the questions. Recall counts an answer all of
// whose tokens are right, nats add up what each token lacks; these numbers tell what a model loses, and where.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"

namespace memlayers::results {

/// Answers of so many tokens and more are one group.
inline constexpr int64_t kLongAnswer = 5;
/// Of the questions, the shares are told whose answer costs fewer nats than each of these.
inline constexpr std::array<double, 7> kNatsBounds{0.5, 1, 2, 4, 8, 16, 32};

/// Means over the questions of one wording whose answer has so many tokens.
struct LengthScore {
  std::string wording;                // "seen" or "unseen"
  int64_t tokens = 0, questions = 0;  // kLongAnswer: so many tokens and more
  double exact_match = 0, nats = 0;
  std::optional<double> first_nats = {};  // of the answer's first token; nothing where it was not kept for all
  static constexpr auto fields() {
    using base::field;
    using C = LengthScore;
    return std::tuple{field("wording", &C::wording, ""),     field("tokens", &C::tokens, ""),
                      field("questions", &C::questions, ""), field("exact_match", &C::exact_match, ""),
                      field("nats", &C::nats, ""),           field("first_nats", &C::first_nats, "")};
  }
};

/// How nats spread over the questions of one wording.
struct NatsSpread {
  std::string wording;
  int64_t questions = 0;
  std::vector<double> below;                                  // [kNatsBounds], shares of the questions
  double lower_quartile = 0, median = 0, upper_quartile = 0;  // nats, linear between questions
  static constexpr auto fields() {
    using base::field;
    using C = NatsSpread;
    return std::tuple{field("wording", &C::wording, ""), field("questions", &C::questions, ""),
                      field("below", &C::below, ""),     field("lower_quartile", &C::lower_quartile, ""),
                      field("median", &C::median, ""),   field("upper_quartile", &C::upper_quartile, "")};
  }
};

/// Both empty: not measured.
struct AnswerBreakdown {
  std::vector<LengthScore> lengths;  // by wording and tokens, those that occur
  std::vector<NatsSpread> spread;
  static constexpr auto fields() {
    using base::field;
    using C = AnswerBreakdown;
    return std::tuple{field("lengths", &C::lengths, ""), field("spread", &C::spread, "")};
  }
};

struct AnsweredQuestion {
  std::string wording;
  int64_t tokens = 0;
  bool exact_match = false;
  double nats = 0;
  std::optional<double> first_nats = {};
};

AnswerBreakdown break_down(const std::vector<AnsweredQuestion>& answered);

}  // namespace memlayers::results
