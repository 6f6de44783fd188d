#include "data/prepare_config.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/utf8.h"

namespace memlayers::data {
namespace {

using base::check;

// What each kind reads; any other field that was set would be silently without effect.
std::set<std::string_view> fields_of(SourceKind kind) {
  switch (kind) {
    case SourceKind::kJsonl:
      return {"kind", "path", "text_field", "limit_documents"};
    case SourceKind::kText:
      return {"kind", "path", "documents", "limit_documents"};
    case SourceKind::kIsoCodes:
      return {"kind", "path", "relations", "limit_facts", "facts_per_document", "use"};
    case SourceKind::kBiographies:
      return {"kind", "people", "copies", "use"};
    case SourceKind::kFacts:
      return {"kind", "path", "patterns", "held_out", "relations", "limit_facts", "facts_per_document", "use"};
    case SourceKind::kQuestions:
      return {"kind", "path", "limit_facts", "facts_per_document", "use"};
  }
  return {};
}

}  // namespace

void PrepareSource::validate() const {
  const PrepareSource defaults;
  const auto read = fields_of(kind);
  const auto check_used = [&](const auto& item) {
    check(read.contains(item.name) || this->*item.member == defaults.*item.member, "sources: ", item.name,
          " has no effect on a source of kind ", base::enum_name(kind));
  };
  std::apply([&](const auto&... item) { (check_used(item), ...); }, fields());
  base::check_name("sources: path", path);
  base::check_name("sources: patterns", patterns);
  const bool needs_path = kind != SourceKind::kIsoCodes && kind != SourceKind::kBiographies;
  check(!needs_path || !path.empty(), "sources: path is missing (kind ", base::enum_name(kind), " reads a file)");
  check(!text_field.empty(), "sources: text_field is empty");
  check(limit_documents >= 0, "sources: limit_documents: expected 0 (all) or more, got ", limit_documents);
  check(limit_facts >= 0, "sources: limit_facts: expected 0 (all) or more, got ", limit_facts);
  check(facts_per_document >= 1, "sources: facts_per_document: expected at least 1, got ", facts_per_document);
  check(held_out >= 0, "sources: held_out: expected 0 or more, got ", held_out);
  check(people >= 1, "sources: people: expected at least 1, got ", people);
  check(copies >= 1, "sources: copies: expected at least 1, got ", copies);
}

void TokenizerConfig::validate() const {
  check(vocab_size >= 1 && vocab_size <= 1'000'000, "tokenizer.vocab_size: expected 1 to 1,000,000, got ", vocab_size);
  check(model_type == "bpe" || model_type == "unigram", "tokenizer.model_type: expected bpe or unigram, got \"",
        model_type, "\"");
  base::check_name("tokenizer.path", path);
  check(sample_lines >= 1, "tokenizer.sample_lines: expected at least 1, got ", sample_lines);
  check((kind == TokenizerKind::kPath) == !path.empty(), kind == TokenizerKind::kPath
                                                             ? "tokenizer.path is missing (kind path)"
                                                             : "tokenizer.path is set: give tokenizer.kind=path too");
}

void PrepareConfig::validate() const {
  check(!output.empty(), "output is missing: the folder to write");
  base::check_name("output", output);
  check(!sources.empty(), "sources is empty: there is nothing to prepare");
  check(validation_share >= 0 && validation_share < 1, "validation_share: expected 0 to below 1, got ",
        validation_share);
  check(max_questions >= 0, "max_questions: expected 0 (all) or more, got ", max_questions);
  check(documents_per_shard >= 1, "documents_per_shard: expected at least 1, got ", documents_per_shard);
}

}  // namespace memlayers::data
