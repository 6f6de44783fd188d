// The pre-tokenizer of a tokenizer.json: cuts a text into the pieces within which the model merges.
#pragma once

#include <functional>
#include <vector>

#include "text/tokenizer_json/format.h"

namespace memlayers::text {

class PreTokenizer {
 public:
  /// What stands before the stretch of text that is cut.
  struct Place {
    bool at_beginning = true;  // the text's, not a special token
    bool continued = false;    // it goes on from another text: nothing is put before it
  };
  using Pieces = std::vector<std::string>;

  PreTokenizer() = default;  // one piece
  /// ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit, Punctuation, CharDelimiterSplit,
  /// BertPreTokenizer, or a Sequence of them; null: none. Throws FormatError.
  explicit PreTokenizer(const Json& component);

  /// The pieces of valid UTF-8, none of them empty.
  Pieces cut(std::string text, const Place& place) const;

 private:
  using Step = std::function<void(Pieces&, const Place&)>;
  void add(const Json& component);
  void add_byte_level(const Json& component);
  void add_metaspace(const Json& component);
  std::vector<Step> steps_;
};

}  // namespace memlayers::text
