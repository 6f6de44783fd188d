// The BPE model of a tokenizer.json: a piece of text to ids by merging neighbors, the pair of the lowest rank first and
// of equal ones the leftmost.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_json/format.h"

namespace memlayers::text {

class Bpe {
 public:
  /// `model` is the file's. Throws FormatError: another kind of model, a vocabulary or merges that do not fit.
  explicit Bpe(const Json& model);

  /// Appends the ids of one piece. Remembers those of short pieces; may be called from several threads.
  void append(std::string_view piece, std::vector<int32_t>& ids) const;
  /// -1: not in the vocabulary.
  int32_t id_of(std::string_view token) const;
  /// The vocabulary by id; gaps are empty texts that has() does not know.
  const std::string& token(int32_t id) const { return tokens_[static_cast<size_t>(id)]; }
  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < known_.size() && known_[id]; }
  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }  // the largest id and one

 private:
  struct Merge {
    int32_t rank = -1;  // -1: no such merge
    int32_t id = 0;
  };
  /// Pairs of ids to merges, in one flat table.
  class Merges {
   public:
    void reserve(size_t count);
    void set(int32_t left, int32_t right, Merge merge);
    Merge find(int32_t left, int32_t right) const;

   private:
    struct Slot {
      uint64_t key = 0;
      Merge merge;
    };
    size_t place_of(uint64_t key) const;
    std::vector<Slot> slots_;
    size_t mask_ = 0;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Vocabulary = std::unordered_map<std::string, int32_t, Hash, std::equal_to<>>;
  /// Pieces met before, in a table where a new one takes an old one's place.
  struct Memory;

  void read_vocabulary(const Json& model);
  void read_merges(const Json& model);
  void add_merge(const std::string& left, const std::string& right, int32_t rank);
  std::vector<int32_t> symbols_of(std::string_view piece) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& ids) const;
  void merge_few(std::vector<int32_t>& ids) const;
  void merge_many(std::vector<int32_t>& ids) const;
  std::vector<int32_t> encode(std::string_view piece) const;

  Vocabulary vocabulary_;
  std::vector<std::string> tokens_;
  std::vector<bool> known_;
  Merges merges_;
  std::string prefix_, suffix_;  // of what continues a word, and of what ends it
  int32_t unknown_ = -1;
  std::array<int32_t, 256> bytes_;
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
  std::shared_ptr<Memory> memory_;
};

}  // namespace memlayers::text
