// Bytes as visible characters, as GPT-2 writes them: printable Latin-1 bytes stand for themselves, the other 68 for
// U+0100 and on.
#pragma once

#include <string>
#include <string_view>

namespace memlayers::text {

/// Every byte as its character.
std::string bytes_as_characters(std::string_view bytes);
/// Appends what the characters stand for; a text with a character that stands for no byte is appended as it is.
void append_bytes_of(std::string& bytes, std::string_view characters);

}  // namespace memlayers::text
