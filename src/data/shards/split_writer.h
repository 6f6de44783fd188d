// One split of a prepared folder on its way to disk: documents in, shards of bounded size out.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "data/shards/token_shard.h"
#include "text/tokenizer.h"

namespace memlayers::data {

class SplitWriter {
 public:
  SplitWriter(const std::filesystem::path& folder, const std::string& split, const text::Tokenizer& tokenizer,
              int64_t documents_per_shard);

  /// A document is bos + tokens + eos; text may come in parts.
  void write(const std::string& text, bool begins, bool ends);
  void finish();

  int64_t documents() const { return documents_; }
  int64_t tokens() const { return tokens_; }
  /// Shards, documents, tokens, the longest document, and the share of tokens beyond the usual sequence lengths (what
  /// packing `whole` would crop at least).
  nlohmann::ordered_json report() const;

 private:
  void append(const std::vector<int32_t>& ids);

  std::filesystem::path folder_;
  std::string split_;
  const text::Tokenizer& tokenizer_;
  int64_t documents_per_shard_;
  std::optional<TokenShardWriter> shard_;
  int64_t shards_ = 0, documents_ = 0, tokens_ = 0, length_ = 0, longest_ = 0;
  std::vector<int64_t> beyond_;  // tokens beyond each length of kSequenceLengths
};

}  // namespace memlayers::data
