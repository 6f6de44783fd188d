#include "text/tokenizer_json/normalizer.h"

#include <map>

#include "text/tokenizer_json/characters.h"
#include "text/tokenizer_json/replacement.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "normalizer";

const std::map<std::string, NormalForm> kForms = {
    {"NFC", NormalForm::kNfc}, {"NFD", NormalForm::kNfd}, {"NFKC", NormalForm::kNfkc}, {"NFKD", NormalForm::kNfkd}};

std::string stripped(const std::string& text, bool left, bool right) {
  std::string_view rest = text;
  while (left && !rest.empty() && is_white_space(first_character(rest).code))
    rest.remove_prefix(first_character(rest).bytes);
  while (right && !rest.empty() && is_white_space(last_character(rest).code))
    rest.remove_suffix(last_character(rest).bytes);
  return std::string(rest);
}

}  // namespace

Pattern pattern_of(const Json& component, const char* what) {
  const auto pattern = component.find("pattern");
  require(pattern != component.end() && pattern->is_object() && pattern->size() == 1, what,
          ": pattern is not {\"String\": ...} or {\"Regex\": ...}");
  const std::string kind = pattern->begin().key();
  require((kind == "String" || kind == "Regex") && pattern->begin()->is_string(), what,
          ": pattern is not {\"String\": ...} or {\"Regex\": ...}");
  const auto text = pattern->begin()->get<std::string>();
  return kind == "String" ? Pattern::literal(text) : Pattern(text);
}

Replacement::Replacement(const Json& component, const char* what)
    : pattern_(pattern_of(component, what)), content_(text_of(component, "content", "", what)) {}

std::string Replacement::apply(const std::string& text) const {
  std::vector<Pattern::Span> found;
  pattern_.find_all(text, found);
  if (found.empty()) return text;
  std::string result;
  size_t done = 0;
  for (const auto& [begin, end] : found) {
    result.append(text, done, begin - done);
    result += content_;
    done = end;
  }
  return result.append(text, done);
}

Normalizer::Normalizer(const Json& component) {
  if (!component.is_null()) add(component);
}

void Normalizer::add(const Json& component) {
  const std::string type = type_of(component, kWhat);
  if (type == "Sequence") {
    for (const Json& part : list_of(component, "normalizers", kWhat)) add(part);
  } else if (const auto form = kForms.find(type); form != kForms.end()) {
    steps_.emplace_back([form = form->second](const std::string& text, bool) { return normalized(text, form); });
  } else if (type == "Lowercase") {
    steps_.emplace_back([](const std::string& text, bool) { return lowered(text); });
  } else if (type == "Prepend") {
    steps_.emplace_back([prefix = text_of(component, "prepend", "", kWhat)](std::string text, bool continued) {
      return text.empty() || continued ? text : prefix + text;
    });
  } else if (type == "Replace") {
    steps_.emplace_back([replacement = Replacement(component, kWhat)](const std::string& text, bool) {
      return replacement.apply(text);
    });
  } else if (type == "Strip") {
    steps_.emplace_back(
        [left = flag_of(component, "strip_left", true, kWhat), right = flag_of(component, "strip_right", true, kWhat)](
            const std::string& text, bool) { return stripped(text, left, right); });
  } else {
    throw_unknown(kWhat, type);
  }
}

std::string Normalizer::apply(std::string text, bool continued) const {
  for (const Step& step : steps_) text = step(std::move(text), continued);
  return text;
}

}  // namespace memlayers::text
