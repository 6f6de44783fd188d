// Where an answer ends in what a model said, and how near it is to the truth.
#pragma once

#include <string>

namespace memlayers::evaluation {

/// Bytes of `said` that belong to its first sentence or line, the final period not counted; npos while none has ended:
/// a period ends a sentence when white space follows and the word before it is no abbreviation ("St.", "J.").
size_t first_sentence_end(const std::string& said);

/// The answer in `said`: its first sentence or line without the period and the white space around it.
std::string extract_answer(const std::string& said);

/// Lower case for ASCII, Latin, Greek and Cyrillic letters; other characters as they are.
std::string lower_case(const std::string& text);

}  // namespace memlayers::evaluation
