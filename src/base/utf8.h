// UTF-8 at the edge of the program: whatever comes in is valid from here on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace memlayers::base {

/// Replaces every maximal invalid part by U+FFFD (Unicode's recommended practice) and returns how many there were.
size_t repair_utf8(std::string& text);

/// Largest position <= `limit` that does not split a character of valid UTF-8 `text`.
size_t character_boundary(std::string_view text, size_t limit);

/// Words in lower case (ASCII letters only are lowered), without the punctuation at their ends; used to compare
/// wordings.
std::vector<std::string> plain_words(std::string_view text);

/// `text` without white space at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace memlayers::base
