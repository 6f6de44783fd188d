// UTF-8 at the edge of the program: whatever comes in is valid from here on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace memlayers::base {

/// Replaces every maximal invalid part by U+FFFD (Unicode's recommended practice) and returns how many there were.
size_t repair_utf8(std::string& text);

/// Makes one line of a file or of standard input, without its "\n", what training text is: a carriage return at its end
/// and a byte order mark at its beginning go (files put together have marks in the middle), invalid UTF-8 is repaired.
/// Space stays. Returns how many sequences were replaced.
size_t clean_line(std::string& line);

/// Largest position <= `limit` that does not split a character of valid UTF-8 `text`.
size_t character_boundary(std::string_view text, size_t limit);

/// Words in lower case (ASCII letters only are lowered), without the punctuation at their ends; used to compare
/// wordings.
std::vector<std::string> plain_words(std::string_view text);

/// `text` without white space at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace memlayers::base
