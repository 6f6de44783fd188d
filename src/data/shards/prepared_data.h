// A folder that `memlayers prepare` wrote: its prepare.json and its shards, opened and checked.
#pragma once

#include <nlohmann/json.hpp>

#include "data/shards/token_shard.h"

namespace memlayers::data {

inline constexpr const char* kPrepareFile = "prepare.json";
inline constexpr const char* kQuestionsFile = "questions.jsonl";
inline constexpr int kPrepareFormat = 1;

/// "train-00000" and so on.
std::string shard_name(const std::string& split, int64_t shard);

/// prepare.json of a folder. Throws IoError (absent, damaged, of another format).
nlohmann::ordered_json read_prepare_file(const std::filesystem::path& folder);

/// One split of a prepared folder as one list of documents.
class PreparedSplit {
 public:
  /// Throws IoError: not a prepared folder, no shards of this split, a shard missing or damaged.
  PreparedSplit(const std::filesystem::path& folder, const std::string& split);

  int64_t documents() const { return first_.back(); }
  int64_t tokens() const { return tokens_; }
  int64_t document_length(int64_t document) const;
  /// Copies tokens [begin, end) of a document. Throws IoError for an id outside the vocabulary.
  void read(int64_t document, int64_t begin, int64_t end, int32_t* out) const;

  int64_t vocab_size() const { return vocab_size_; }
  const std::string& tokenizer_hash() const { return tokenizer_hash_; }
  /// Over all index files and the tokenizer.
  uint64_t hash() const { return hash_; }

 private:
  size_t shard_of(int64_t document) const;

  std::filesystem::path folder_;
  std::string split_, tokenizer_hash_;
  std::vector<TokenShard> shards_;
  std::vector<int64_t> first_ = {0};  // number of documents before each shard, and in all
  int64_t tokens_ = 0, vocab_size_ = 0;
  uint64_t hash_ = 0;
};

}  // namespace memlayers::data
