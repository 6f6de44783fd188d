// The texts an inspection reads: a sample of a split's documents, and questions' prompts, as passages with their
// owners.
#pragma once

#include "data/question.h"
#include "data/shards/loader.h"
#include "data/shards/prepared_data.h"
#include "evaluation/requests/requests.h"
#include "evaluation/tables/read_sweep.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

/// Documents of prepared data; an owner is the number of a document in the sample.
class DocumentSample {
 public:
  /// At most `tokens` tokens (0: all) of `split`, of each source as many as its weight says, documents drawn in an
  /// order that is always the same; documents are cut into passages of at most `max_length`, and the last to fit the
  /// number. Throws IoError (no such data), UsageError (another tokenizer than `tokenizer`).
  DocumentSample(const std::vector<data::SourceConfig>& sources, const std::string& split, int64_t tokens,
                 int64_t max_length, const text::Tokenizer& tokenizer);

  const std::vector<Passage>& passages() const { return passages_; }
  int64_t documents() const { return static_cast<int64_t>(documents_.size()); }
  const std::string& source(int64_t owner) const { return names_[documents_[owner].source]; }
  /// Number of the document in its source's split.
  int64_t id(int64_t owner) const { return documents_[owner].document; }
  /// The beginning of the document.
  std::string text(int64_t owner) const;

 private:
  struct Document {
    size_t source = 0;
    int64_t document = 0;
  };
  void add(size_t source, int64_t document, int64_t tokens, int64_t max_length);

  const text::Tokenizer& tokenizer_;
  std::vector<data::PreparedSplit> splits_;
  std::vector<std::string> names_;
  std::vector<Document> documents_;
  std::vector<Passage> passages_;
};

/// Prompts of at most `tokens` tokens together (0: all), drawn in an order that is always the same; an owner is an
/// index into `questions`. What is longer than `max_length` keeps its end.
std::vector<Passage> question_passages(const std::vector<data::Question>& questions, int64_t tokens, int64_t max_length,
                                       const text::Tokenizer& tokenizer);

/// Token `position` of a passage with up to seven before it, as text.
std::string text_up_to(const text::Tokenizer& tokenizer, const Passage& passage, int64_t position);

/// `text` as valid UTF-8, cut after some 300 bytes.
std::string excerpt(std::string text);

}  // namespace memlayers::evaluation
