#include "text/tokenizer_json/format.h"

#include "base/utf8.h"
#include "text/tokenizer_json/characters.h"

namespace memlayers::text {
namespace {

const Json* found(const Json& object, const char* key, const char* what) {
  require(object.is_object(), what, ": expected an object");
  const auto field = object.find(key);
  return field == object.end() || field->is_null() ? nullptr : &*field;
}

/// As it is shown in a message: short.
std::string shown(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr size_t kMost = 60;
  return text.size() <= kMost ? text : text.substr(0, base::character_boundary(text, kMost)) + "...";
}

}  // namespace

void throw_unknown(const char* what, const std::string& type) {
  throw FormatError(base::concat(what, " of type \"", type.substr(0, 60), "\" is not supported"));
}

std::string type_of(const Json& component, const char* what) {
  require(component.is_object(), what, ": expected an object, got ", shown(component));
  const auto type = component.find("type");
  require(type != component.end() && type->is_string(), what, ": it has no type");
  return type->get<std::string>();
}

bool flag_of(const Json& object, const char* key, bool otherwise, const char* what) {
  const Json* value = found(object, key, what);
  if (value == nullptr) return otherwise;
  require(value->is_boolean(), what, ": ", key, " is ", shown(*value), ", expected true or false");
  return value->get<bool>();
}

std::string text_of(const Json& object, const char* key, const std::string& otherwise, const char* what) {
  const Json* value = found(object, key, what);
  if (value == nullptr) return otherwise;
  require(value->is_string(), what, ": ", key, " is ", shown(*value), ", expected a text");
  return value->get<std::string>();
}

int64_t number_of(const Json& object, const char* key, int64_t otherwise, const char* what) {
  const Json* value = found(object, key, what);
  if (value == nullptr) return otherwise;
  require(value->is_number_integer() && value->dump().size() <= 18, what, ": ", key, " is ", shown(*value),
          ", expected a whole number");
  return value->get<int64_t>();
}

const Json& list_of(const Json& object, const char* key, const char* what) {
  const Json* value = found(object, key, what);
  require(value != nullptr && value->is_array(), what, ": ", key, " is ", value ? shown(*value) : "absent",
          ", expected a list");
  return *value;
}

std::string one_character(const std::string& text, const char* what) {
  require(!text.empty() && first_character(text).bytes == text.size(), what, ": expected one character, got \"",
          text.substr(0, base::character_boundary(text, 40)), "\"");
  return text;
}

Json parse_document(const std::string& text) {
  require(base::is_utf8(text), "it is not UTF-8");
  // Called for every value: too deep a document is given up before its end.
  const auto within = [](int depth, Json::parse_event_t, Json&) {
    require(depth <= kMaxJsonDepth, "it is nested more than ", kMaxJsonDepth, " levels deep");
    return true;
  };
  try {
    return Json::parse(text, within);
  } catch (const Json::exception& error) {
    throw FormatError(base::concat("it is not valid JSON: ", error.what()));
  }
}

}  // namespace memlayers::text
