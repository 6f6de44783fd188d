// Reading the objects of a tokenizer.json: typed fields, and errors that name the component.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace memlayers::text {

using Json = nlohmann::json;

/// What is wrong with a tokenizer.json; whoever knows the file's name says it.
class FormatError : public base::Error {
 public:
  using Error::Error;
};

/// Throws FormatError with the concatenated parts unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    throw FormatError(base::concat(parts...));
}

/// "normalizer" of type "Frobnicate" -> the error that names it.
[[noreturn]] void throw_unknown(const char* what, const std::string& type);

/// A component's type. Throws FormatError: no object, no type.
std::string type_of(const Json& component, const char* what);

/// Fields of `object`, which `what` names; the default where the field is absent or null. Throw FormatError: another
/// type of value.
bool flag_of(const Json& object, const char* key, bool otherwise, const char* what);
std::string text_of(const Json& object, const char* key, const std::string& otherwise, const char* what);
int64_t number_of(const Json& object, const char* key, int64_t otherwise, const char* what);
/// The field, an array. Throws FormatError: absent or something else.
const Json& list_of(const Json& object, const char* key, const char* what);
/// The only character of a text. Throws FormatError.
std::string one_character(const std::string& text, const char* what);

/// A document of at most kMaxJsonDepth levels, without anything after it. Throws FormatError.
constexpr int kMaxJsonDepth = 32;
Json parse_document(const std::string& text);

}  // namespace memlayers::text
