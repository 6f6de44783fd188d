// What a call that fails says.
#pragma once

#include <string>

namespace memlayers::tests {

/// The message of the error that `call` throws, which must be an E; empty when none is thrown.
template <class E, class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace memlayers::tests
