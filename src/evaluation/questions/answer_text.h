// Where an answer ends in what a model said, and how near it is to the truth.
//
// An answer ends where the sentence that it was learned in ends: at the ending ("." unless the question has another
// one) before white space, at the end of a line, or at the end of what was said. A full stop that belongs to the answer
// does not end it:
//
//   1. An accepted answer, said letter for letter and followed by the ending, is the answer, whatever stops it holds.
//   2. A full stop is doubtful after an abbreviation (an initial, "U.S", "Inc", "No" before a number, ...), and where
//      the text up to it and with it begins an accepted answer. A doubtful one ends the answer only if a sentence
//      follows: two words neither of which ends with a full stop, initials not counted. So "Jan. 5." and "U.S. Army."
//      are no "Jan." and no "U.S.".
//   3. Else the first one ends it: "New York City." is never "New York".
//
// The same rule stops the generation, as soon as more text could not change where the answer ends, and cuts the answer
// out.
#pragma once

#include <string>
#include <vector>

namespace memlayers::evaluation {

class AnswerRule {
 public:
  explicit AnswerRule(std::vector<std::string> accepted = {}, std::string ending = ".");

  /// Bytes of `said` up to the end of its answer, the white space before it counted and the ending not; npos while
  /// there is no end, or none that is sure. `finished`: nothing follows `said`.
  size_t end(const std::string& said, bool finished) const;
  /// Whether `said` may become an accepted answer with its ending, or (`answer_itself`) is the beginning of a longer
  /// one.
  bool is_open(const std::string& said, bool answer_itself) const;
  /// The answer in all that was said, without white space around it.
  std::string answer(const std::string& said) const;

 private:
  enum class Match { kNo, kYes, kOpen };
  Match match(const std::string& text, const std::string& accepted, bool over) const;
  bool is_doubtful(const std::string& text, size_t stop) const;

  std::vector<std::string> accepted_;  // longest first
  std::string ending_;
};

/// AnswerRule::answer() where nothing is known of the question.
std::string extract_answer(const std::string& said);

/// Lower case for ASCII, Latin, Greek and Cyrillic letters; other characters as they are.
std::string lower_case(const std::string& text);

/// SQuAD's rule: lower case, no ASCII punctuation, no articles, single spaces. Unlike SQuAD, what consists of nothing
/// else ("AN", a country's code; "+") keeps it, so that no two such answers are taken for equal.
std::string normalize_answer(const std::string& text);
/// Harmonic mean of precision and recall of the normalized words, each counted as often as it occurs.
double f1_score(const std::string& prediction, const std::string& truth);

}  // namespace memlayers::evaluation
