// Token shards: NAME.bin holds tokens, NAME.idx the documents (Megatron's indexed dataset, so others can read it).
//
// .idx: 9 bytes "MMIDIDX\0\0", u64 version 1, u8 dtype code (4 int32, 8 uint16), u64 sequences, u64 documents + 1,
// i32 lengths[sequences] (tokens), i64 pointers[sequences] (bytes into .bin), i64 document_indices[documents + 1].
// Every document is one sequence here. The reader trusts nothing: all sizes are checked against the files' sizes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace memlayers::data {

class TokenShardWriter {
 public:
  /// `stem` without extension; tokens are uint16 when vocab_size <= 65,536, else int32. Atomic: files appear on
  /// finish().
  TokenShardWriter(const std::filesystem::path& stem, int64_t vocab_size);
  ~TokenShardWriter();
  /// Throws UsageError for an id outside [0, vocab_size); an empty document is dropped.
  void add_document(std::span<const int32_t> tokens);
  /// The same in parts, for documents larger than memory: append() any number of times, then end_document().
  void append(std::span<const int32_t> tokens);
  void end_document();
  int64_t documents() const;
  int64_t tokens() const;
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class TokenShard {
 public:
  /// Throws IoError with file and reason: missing, truncated, sizes that do not fit, a pointer outside the file.
  explicit TokenShard(const std::filesystem::path& stem);
  /// Over both files' bytes in memory, which must outlive the shard (fuzzing, tests); `origin` stands for the path.
  static TokenShard from_bytes(std::span<const std::byte> index, std::span<const std::byte> tokens,
                               const std::string& origin);
  ~TokenShard();
  TokenShard(TokenShard&&) noexcept;

  int64_t documents() const;
  int64_t tokens() const;
  int64_t document_length(int64_t document) const;
  /// Copies tokens [begin, end) of a document. Token ids are checked against `vocab_size` by the loader.
  void read(int64_t document, int64_t begin, int64_t end, int32_t* out) const;
  std::vector<int32_t> read(int64_t document) const;
  /// Hash of the index file's bytes.
  uint64_t index_hash() const;

 private:
  struct State;
  explicit TokenShard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace memlayers::data
