// {"pattern": {"String" or "Regex": ...}, "content": ...}, which normalizers and decoders have.
#pragma once

#include "text/tokenizer_json/format.h"
#include "text/tokenizer_json/pattern.h"

namespace memlayers::text {

/// Of {"pattern": {"String": ...}} or {"Regex": ...}. Throws FormatError.
Pattern pattern_of(const Json& component, const char* what);

class Replacement {
 public:
  Replacement(const Json& component, const char* what);
  std::string apply(const std::string& text) const;

 private:
  Pattern pattern_;
  std::string content_;
};

}  // namespace memlayers::text
