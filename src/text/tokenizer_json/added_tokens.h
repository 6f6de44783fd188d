// Tokens that are found in a text before anything else happens to it: special ones, and words added by hand.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_json/format.h"
#include "text/tokenizer_json/normalizer.h"

namespace memlayers::text {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = true;                        // looked for in the normalized text
  bool single_word = false;                      // only where no word character is next to it
  bool left_strip = false, right_strip = false;  // takes the white space there
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// `list` is the file's; null: none. Throws FormatError.
  AddedTokens(const Json& list, const Normalizer& normalizer);

  const std::vector<AddedToken>& all() const { return tokens_; }
  const AddedToken* find(int32_t id) const;

  /// A stretch of text, or a token found.
  struct Stretch {
    std::string text;
    const AddedToken* token = nullptr;
    bool at_beginning = false;  // of the whole text
  };
  /// `text` in stretches, already normalized; empty ones are left out. `continued` is for the normalizer, of the first.
  std::vector<Stretch> cut(const std::string& text, bool continued) const;

 private:
  /// Contents to look for, by their first byte and the longest first.
  class Finder {
   public:
    void add(const std::string& content, size_t token);
    bool empty() const { return count_ == 0; }
    /// The leftmost from `start` on, of those at one place the longest: where, and which.
    struct Found {
      size_t begin, end, token;
    };
    std::optional<Found> next(std::string_view text, size_t start) const;

   private:
    struct Content {
      std::string text;
      size_t token;
    };
    std::array<std::vector<Content>, 256> by_byte_;
    size_t count_ = 0;
  };
  struct Span {
    size_t begin, end;
    const AddedToken* token;  // null: text
  };
  std::vector<Span> spans(const Finder& finder, std::string_view text) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  Finder raw_, normalized_;
  const Normalizer* normalizer_ = nullptr;
};

}  // namespace memlayers::text
