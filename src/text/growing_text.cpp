#include "text/growing_text.h"

namespace memlayers::text {
namespace {

constexpr size_t kLongestCut = 3;  // bytes of a character that lacks its last

/// Bytes of `text` before a character that is cut off at its end.
size_t whole_characters(std::string_view text) {
  for (size_t length = 1; length <= kLongestCut && length <= text.size(); ++length) {
    const auto byte = static_cast<unsigned char>(text[text.size() - length]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length < needed ? text.size() - length : text.size();
  }
  return text.size();
}

}  // namespace

std::string_view GrowingText::grown(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  size_t end = whole_characters(text);
  for (size_t i = 0; i < kLongestCut && text.substr(0, end).ends_with(kReplacement); ++i) end -= kReplacement.size();
  return from_shown(text, end);
}

std::string_view GrowingText::rest(std::string_view text) { return from_shown(text, text.size()); }

std::string_view GrowingText::from_shown(std::string_view text, size_t end) {
  if (end <= shown_) return {};
  const std::string_view part = text.substr(shown_, end - shown_);
  shown_ = end;
  return part;
}

}  // namespace memlayers::text
