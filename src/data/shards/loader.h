// Training batches out of token shards: weighted mixture of sources, shuffled documents, packed into windows.
//
// The order is a pure function of (seed, state): no threads, no clock. A document is bos + tokens + eos; documents are
// concatenated and cut into windows of seq_len + 1 tokens that overlap by one (input and target). The state is
// a few integers per source, so resuming is exact; shards are memory-mapped, so data may be larger than memory.
#pragma once

#include <memory>

#include "base/config.h"
#include "data/shards/token_shard.h"

namespace memlayers::data {

struct SourceConfig {
  std::string path;
  double weight = 1.0;
  static constexpr auto fields() {
    using base::field;
    return std::tuple{
        field("path", &SourceConfig::path, "folder written by `memlayers prepare`"),
        field("weight", &SourceConfig::weight, "share of the documents drawn, relative to the other sources")};
  }
};

struct LoaderConfig {
  std::vector<SourceConfig> sources;
  int64_t seq_len = 256;
  int64_t batch_size = 16;
  std::string packing = "concatenate";
  uint64_t seed = 1;
  static constexpr auto fields() {
    using base::field;
    using C = LoaderConfig;
    return std::tuple{
        field("sources", &C::sources, "prepared data folders and their weights"),
        field("seq_len", &C::seq_len, "T, tokens of a sequence"),
        field("batch_size", &C::batch_size, "B, sequences of an optimizer step (all micro-steps together)"),
        field("packing", &C::packing,
              "concatenate (documents cross windows) or whole (a window begins with a "
              "document; what does not fit is cropped, and the share reported)"),
        field("seed", &C::seed, "order of documents; equal seeds give equal batches")};
  }
  void validate();
};

class Loader {
 public:
  /// `split`: "train" or "validation". Throws IoError (unreadable, truncated), UsageError (sources disagree on
  /// tokenizer).
  Loader(const LoaderConfig& config, const std::string& split);
  ~Loader();

  /// The next batch, [batch_size, seq_len + 1] row-major.
  std::vector<int32_t> next();
  /// Small JSON; a loader of the same config and data set to it continues exactly.
  nlohmann::json state() const;
  /// `file` is where the state was read, for messages. Throws UsageError where it is of other data or settings, IoError
  /// where it is damaged; then the loader stays as it was.
  void set_state(const nlohmann::json& state, const std::filesystem::path& file = "loader");
  /// Share of tokens drawn that no window held (packing "whole"), so far.
  double cropped_share() const;
  int64_t vocab_size() const;
  /// Folder of the first source, which holds the tokenizer.
  std::filesystem::path tokenizer_folder() const;
  /// Hash over the shards' index files: resuming on other data is refused with it.
  std::string fingerprint() const;
  int64_t epoch_tokens() const;  // tokens of one pass over all sources, bos and eos included
  /// How often `tokens` tokens of batches read a document of that source, on average. Of packing concatenate; with
  /// whole, what is cropped makes it more.
  double expected_passes(size_t source, int64_t tokens) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace memlayers::data
