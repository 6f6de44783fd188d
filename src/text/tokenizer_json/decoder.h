// The decoder of a tokenizer.json: tokens back to a text.
#pragma once

#include <functional>
#include <vector>

#include "text/tokenizer_json/format.h"

namespace memlayers::text {

class Decoder {
 public:
  Decoder() = default;
  /// ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, BPEDecoder, or a Sequence of them; null: tokens are put
  /// together with spaces. Throws FormatError.
  explicit Decoder(const Json& component);

  /// Valid UTF-8, whatever the tokens are.
  std::string apply(std::vector<std::string> tokens) const;

 private:
  using Step = std::function<void(std::vector<std::string>&)>;
  void add(const Json& component);
  std::vector<Step> steps_;
  std::string between_ = " ";
};

}  // namespace memlayers::text
