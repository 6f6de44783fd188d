#include "data/sources/json_lines.h"

#include <simdjson.h>

#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace memlayers::data {

namespace dom = simdjson::dom;

struct JsonLines::State {
  State(const std::filesystem::path& path, size_t buffer_bytes) : lines(path, buffer_bytes) {}

  LineReader lines;
  std::string line;
  dom::parser parser{kMaxLineBytes + simdjson::SIMDJSON_PADDING};
  dom::object object;
};

JsonLines::JsonLines(const std::filesystem::path& path, size_t buffer_bytes)
    : state_(std::make_unique<State>(path, buffer_bytes)) {}
JsonLines::~JsonLines() = default;

const LineReader& JsonLines::lines() const { return state_->lines; }

void JsonLines::fail(const std::string& reason) const { throw BrokenLine(state_->lines.where(), reason); }

bool JsonLines::next() {
  State& s = *state_;
  do {
    if (!s.lines.next(s.line)) return false;
  } while (base::trimmed(s.line).empty());
  const size_t size = s.line.size();
  s.line.resize(size + simdjson::SIMDJSON_PADDING);  // simdjson reads past the end, never uses what it finds there
  dom::element element;
  if (auto error = s.parser.parse(s.line.data(), size, false).get(element)) {
    fail(std::string("not valid JSON: ") + simdjson::error_message(error));
  }
  if (element.get(s.object)) fail("expected a JSON object, {\"field\": ...}");
  return true;
}

namespace {

std::optional<dom::element> find(const dom::object& object, const std::string& field) {
  dom::element element;
  if (object.at_key(field).get(element) || element.is_null()) return std::nullopt;
  return element;
}

}  // namespace

std::optional<std::string> JsonLines::optional_text(const std::string& field) const {
  const auto element = find(state_->object, field);
  if (!element) return std::nullopt;
  std::string_view text;
  if (element->get(text)) fail("field \"" + field + "\" is not a string");
  return std::string(text);
}

std::string JsonLines::text(const std::string& field) const {
  if (auto text = optional_text(field)) return *text;
  std::string names;
  for (const auto& member : state_->object) names += (names.empty() ? "" : ", ") + std::string(member.key);
  fail("no field \"" + field + "\" (there are: " + names + ")");
}

std::optional<bool> JsonLines::optional_flag(const std::string& field) const {
  const auto element = find(state_->object, field);
  if (!element) return std::nullopt;
  bool flag = false;
  if (element->get(flag)) fail("field \"" + field + "\" is not true or false");
  return flag;
}

std::optional<int64_t> JsonLines::optional_integer(const std::string& field) const {
  const auto element = find(state_->object, field);
  if (!element) return std::nullopt;
  int64_t number = 0;
  if (element->get(number)) fail("field \"" + field + "\" is not an integer");
  return number;
}

std::vector<std::string> JsonLines::texts(const std::vector<std::string>& fields) const {
  for (const std::string& field : fields) {
    const auto element = find(state_->object, field);
    if (!element) continue;
    if (!element->is_array()) return {text(field)};
    std::vector<std::string> texts;
    for (const auto item : element->get_array()) {
      std::string_view text;
      if (item.get(text)) fail("field \"" + field + "\" holds something that is not a string");
      texts.emplace_back(text);
    }
    return texts;
  }
  return {};
}

}  // namespace memlayers::data
