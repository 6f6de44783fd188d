// What a model is scored on to count its bits: a person's name at the start of a document, and the values after the
// name.
#pragma once

#include "data/sources/biography_file.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

/// Tokens to score (`tail`), given those before them (`head`, from the begin token on).
struct ScoredPassage {
  std::vector<int64_t> head, tail;
};

/// The tokens of bytes [begin, end) of a text that begins a document. The whole text is tokenized; scored are the
/// tokens that hold any of these bytes and no others, so one that reaches over an edge is scored whole. 0 <= begin <
/// end <= size.
ScoredPassage passage(const text::Tokenizer& tokenizer, const std::string& text, size_t begin, size_t end);

/// The passages of people, in wordings drawn once and for all: every model is scored on the same.
class CapacityPassages {
 public:
  /// Both must outlive it. Throws UsageError: no people.
  CapacityPassages(const data::Biographies& biographies, const text::Tokenizer& tokenizer);

  /// What stands before a name, the same for all people: "" (a sentence that begins with it) and the shortest text of a
  /// trained wording that does not; either may be missing.
  const std::vector<std::string>& openings() const { return openings_; }
  /// passages(person)[i]: the name after opening i; then every attribute's value in a trained wording; then every
  /// attribute's value in a held-out one.
  std::vector<ScoredPassage> passages(size_t person) const;
  size_t count() const { return openings_.size() + 2 * biographies_.attributes.size(); }

 private:
  struct Opening {
    size_t attribute = 0;
    std::string wording;
  };
  ScoredPassage name_passage(const data::Person& person, const Opening& opening) const;
  ScoredPassage value_passage(const data::Person& person, size_t attribute, const std::string& wording) const;

  const data::Biographies& biographies_;
  const text::Tokenizer& tokenizer_;
  std::vector<std::string> openings_;
  std::vector<Opening> opening_wordings_;
};

}  // namespace memlayers::evaluation
