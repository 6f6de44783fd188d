// What `memlayers prepare` is told: sources, tokenizer, output.
#pragma once

#include <array>

#include "base/config.h"

namespace memlayers::data {

enum class SourceKind { kJsonl, kText, kIsoCodes, kBiographies, kFacts, kQuestions };
constexpr auto enum_names(SourceKind) {
  using enum SourceKind;
  return std::array{std::pair{kJsonl, "jsonl"},        std::pair{kText, "text"},
                    std::pair{kIsoCodes, "iso_codes"}, std::pair{kBiographies, "biographies"},
                    std::pair{kFacts, "facts"},        std::pair{kQuestions, "questions"}};
}

enum class TextDocuments { kFile, kParagraphs, kLines };
constexpr auto enum_names(TextDocuments) {
  using enum TextDocuments;
  return std::array{std::pair{kFile, "file"}, std::pair{kParagraphs, "paragraphs"}, std::pair{kLines, "lines"}};
}

enum class SourceUse { kBoth, kTrain, kAsk };
constexpr auto enum_names(SourceUse) {
  using enum SourceUse;
  return std::array{std::pair{kBoth, "both"}, std::pair{kTrain, "train"}, std::pair{kAsk, "ask"}};
}

enum class TokenizerKind { kBytes, kSentencePiece, kPath };
constexpr auto enum_names(TokenizerKind) {
  using enum TokenizerKind;
  return std::array{std::pair{kBytes, "bytes"}, std::pair{kSentencePiece, "sentencepiece"}, std::pair{kPath, "path"}};
}

struct PrepareSource {
  SourceKind kind = SourceKind::kJsonl;
  std::string path;
  std::string text_field = "text";
  TextDocuments documents = TextDocuments::kFile;
  int64_t limit_documents = 0;
  std::vector<std::string> relations;
  int64_t limit_facts = 0;
  int64_t facts_per_document = 8;
  std::string patterns;
  int64_t held_out = 2;
  int64_t people = 1000;
  int64_t copies = 5;
  SourceUse use = SourceUse::kBoth;

  static constexpr auto fields() {
    using base::field;
    using C = PrepareSource;
    return std::tuple{
        field("kind", &C::kind, "jsonl, text, iso_codes, biographies, facts or questions"),
        field("path", &C::path, "file (plain, .gz or .zst); iso_codes: folder, default that of Debian's package"),
        field("text_field", &C::text_field, "jsonl: the field with a document's text"),
        field("documents", &C::documents, "text: what a document is: file, paragraphs (between blank lines) or lines"),
        field("limit_documents", &C::limit_documents, "jsonl, text: read so many documents; 0: all"),
        field("relations", &C::relations, "iso_codes, facts: take facts of these relations only; empty: of all"),
        field("limit_facts", &C::limit_facts,
              "iso_codes, facts, questions: take so many facts, spread over the "
              "relations; fewer are among more; 0: all"),
        field("facts_per_document", &C::facts_per_document, "iso_codes, facts, questions: sentences of a document"),
        field("patterns", &C::patterns, "facts: JSONL with the wordings, {relation, pattern with [X] and [Y]}"),
        field("held_out", &C::held_out,
              "facts: wordings of a relation that are not trained but asked (at most a third)"),
        field("people", &C::people, "biographies: number of people; the first n of more are the same n"),
        field("copies", &C::copies, "biographies: documents about each person, each worded anew"),
        field("use", &C::use, "facts, questions, iso_codes, biographies: both, train (not asked) or ask (not trained)"),
    };
  }
  void validate() const;
};

struct TokenizerConfig {
  TokenizerKind kind = TokenizerKind::kSentencePiece;
  int64_t vocab_size = 2048;
  std::string model_type = "bpe";
  int64_t sample_lines = 200000;
  std::string path;

  static constexpr auto fields() {
    using base::field;
    using C = TokenizerConfig;
    return std::tuple{
        field("kind", &C::kind, "bytes, sentencepiece (trained on a sample of the data) or path (an existing one)"),
        field("vocab_size", &C::vocab_size, "sentencepiece: pieces, the 256 bytes and 3 special ids included"),
        field("model_type", &C::model_type, "sentencepiece: bpe or unigram"),
        field("sample_lines", &C::sample_lines, "sentencepiece: lines drawn from all the data to train on"),
        field("path", &C::path, "path: a prepared folder, a model's folder, a tokenizer.json or a tokenizer.model"),
    };
  }
  void validate() const;
};

struct PrepareConfig {
  std::string output;
  TokenizerConfig tokenizer;
  std::vector<PrepareSource> sources;
  double validation_share = 0.01;
  int64_t max_questions = 0;
  int64_t documents_per_shard = 1'000'000;
  uint64_t seed = 1;

  static constexpr auto fields() {
    using base::field;
    using C = PrepareConfig;
    return std::tuple{
        field("output", &C::output, "folder to write"),
        field("tokenizer", &C::tokenizer, "how text becomes tokens"),
        field("sources", &C::sources, "what is read, in this order"),
        field("validation_share", &C::validation_share,
              "share of the documents held out; of facts: of the facts, which "
              "are all trained, in a wording that is not"),
        field("max_questions", &C::max_questions, "questions written at most, drawn evenly by seed; 0: all"),
        field("documents_per_shard", &C::documents_per_shard, "largest number of documents of one shard file"),
        field("seed", &C::seed, "of every draw: validation split, order of sentences, people, limits"),
    };
  }
  void validate() const;
};

}  // namespace memlayers::data
