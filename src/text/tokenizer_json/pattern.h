// Regular expressions of tokenizer files, which are written for Oniguruma, matched by PCRE2's compiled code.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memlayers::text {

class Pattern {
 public:
  /// Throws FormatError: it does not compile, or holds what means something else to PCRE2 (&& in a class, \h).
  explicit Pattern(const std::string& expression);
  /// Matches exactly `text`.
  static Pattern literal(const std::string& text);

  using Span = std::pair<size_t, size_t>;  // begin and end, in bytes
  /// All matches in valid UTF-8, from left to right, none overlapping another. Throws base::Error: it would take too
  /// many steps or too much memory.
  void find_all(std::string_view text, std::vector<Span>& found) const;

 private:
  struct Code;
  Pattern() = default;
  std::shared_ptr<const Code> code_;
  std::string literal_;  // where there is no code
  std::string source_;
};

}  // namespace memlayers::text
