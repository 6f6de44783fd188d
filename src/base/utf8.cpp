#include "base/utf8.h"

#include <simdjson.h>

#include <cctype>

namespace memlayers::base {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Sequence {
  size_t length = 1;   // bytes that belong together
  bool valid = false;  // else: a maximal part of an ill-formed sequence
};

// One sequence of table 3-7 of the Unicode standard (no overlong forms, no surrogates, nothing above U+10FFFF).
Sequence next_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, true};
  size_t needed = 0;
  unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
  if (first >= 0xC2 && first <= 0xDF) {
    needed = 1;
  } else if (first >= 0xE0 && first <= 0xEF) {
    needed = 2;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    needed = 3;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  size_t length = 1;
  for (; length <= needed && length < text.size(); ++length) {
    if (byte(length) < low || byte(length) > high) break;
    low = 0x80;
    high = 0xBF;
  }
  return {length, length == needed + 1};
}

}  // namespace

size_t repair_utf8(std::string& text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return 0;
  std::string repaired;
  repaired.reserve(text.size());
  size_t replaced = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const Sequence sequence = next_sequence(rest);
    if (!sequence.valid) ++replaced;
    repaired += sequence.valid ? rest.substr(0, sequence.length) : kReplacement;
    rest.remove_prefix(sequence.length);
  }
  text = std::move(repaired);
  return replaced;
}

size_t clean_line(std::string& line) {
  if (line.ends_with('\r')) line.pop_back();
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  return repair_utf8(line);
}

size_t character_boundary(std::string_view text, size_t limit) {
  if (limit >= text.size()) return text.size();
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return limit;
}

std::vector<std::string> plain_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto close = [&] {
    size_t begin = 0, end = word.size();
    while (begin < end && std::ispunct(static_cast<unsigned char>(word[begin]))) ++begin;
    while (end > begin && std::ispunct(static_cast<unsigned char>(word[end - 1]))) --end;
    if (begin < end) words.push_back(word.substr(begin, end - begin));
    word.clear();
  };
  for (const char character : text) {
    if (character == ' ' || character == '\n' || character == '\t') {
      close();
    } else {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
    }
  }
  close();
  return words;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace memlayers::base
