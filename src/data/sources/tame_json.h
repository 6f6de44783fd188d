// JSON as Python writes it, made such that a strict parser takes it.
#pragma once

#include <cstddef>
#include <string>

namespace memlayers::data {

/// Rewrites one JSON text: numbers that neither a 64-bit integer nor a double holds, NaN, Infinity and -Infinity become
/// 0.5; escapes of lone surrogates become U+FFFD, and their number is returned. Everything else stays, valid or not.
size_t tame_json(std::string& text);

}  // namespace memlayers::data
