// Unicode characters as tokenizers see them: classes, lower case, normal forms (by utf8proc).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace memlayers::text {

struct Character {
  int32_t code = 0;
  size_t bytes = 0;  // 0: there is none
};

/// Of valid UTF-8.
Character first_character(std::string_view text);
Character last_character(std::string_view text);
void append_character(std::string& text, int32_t code);

/// Unicode's White_Space.
bool is_white_space(int32_t code);
/// Letters, combining marks, decimal digits and other numbers that are letters, connectors: what \w means.
bool is_word_character(int32_t code);
/// Categories Nd, Nl and No.
bool is_numeric(int32_t code);
/// ASCII's punctuation and the categories P*.
bool is_punctuation(int32_t code);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string normalized(const std::string& text, NormalForm form);
/// Character by character, so that no other character has a say (a final sigma stays one).
std::string lowered(const std::string& text);

}  // namespace memlayers::text
