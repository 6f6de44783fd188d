// The normalizer of a tokenizer.json: what happens to a text before it is cut into pieces.
#pragma once

#include <functional>
#include <vector>

#include "text/tokenizer_json/format.h"

namespace memlayers::text {

class Normalizer {
 public:
  Normalizer() = default;  // leaves texts as they are
  /// NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, or a Sequence of them; null: none. Throws FormatError.
  explicit Normalizer(const Json& component);

  /// `continued`: the text goes on from another one, so nothing is put before it.
  std::string apply(std::string text, bool continued = false) const;
  bool changes_nothing() const { return steps_.empty(); }

 private:
  using Step = std::function<std::string(std::string, bool continued)>;
  void add(const Json& component);
  std::vector<Step> steps_;
};

}  // namespace memlayers::text
