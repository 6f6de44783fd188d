#include "data/sources/json_lines.h"

#include <simdjson.h>

#include <cstring>

#include "base/error.h"
#include "base/utf8.h"
#include "data/sources/tame_json.h"

namespace memlayers::data {

namespace dom = simdjson::dom;

// simdjson's own limit is 1,024; Python's readers end between a thousand and some ten thousand.
constexpr size_t kMaxJsonDepth = 100'000;

struct JsonLines::State {
  State(const std::filesystem::path& path, size_t buffer_bytes) : lines(path, buffer_bytes) {}

  /// simdjson reads past the end, never uses what it finds there.
  simdjson::error_code parse(std::string& text, dom::element& element) {
    const size_t size = text.size();
    text.resize(size + simdjson::SIMDJSON_PADDING);
    return parser.parse(text.data(), size, false).get(element);
  }

  LineReader lines;
  std::string line;
  dom::parser parser{kMaxLineBytes + simdjson::SIMDJSON_PADDING};
  dom::object object;
  int64_t replaced = 0;
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
  dom::element element;
  auto error = s.parse(s.line, element);
  if (error) {
    s.line.resize(size);
    s.replaced += static_cast<int64_t>(tame_json(s.line));
    if (s.parser.max_depth() < kMaxJsonDepth) {
      const auto no_memory = s.parser.allocate(std::max<size_t>(s.parser.capacity(), 1), kMaxJsonDepth);
      if (no_memory) fail(simdjson::error_message(no_memory));
    }
    error = s.parse(s.line, element);
  }
  const bool list = base::trimmed(s.line).starts_with('[');
  const char* const advice = list ? "; of one list of objects, jq -c '.[]' FILE makes JSON lines" : "";
  if (error) fail(base::concat("not valid JSON: ", simdjson::error_message(error), advice));
  if (element.get(s.object)) fail(base::concat("expected a JSON object, {\"field\": ...}", advice));
  return true;
}

int64_t JsonLines::replaced() const { return state_->lines.replaced() + state_->replaced; }

namespace {

/// Of fields of one name the last counts, as in Python.
std::optional<dom::element> find(const dom::object& object, const std::string& field) {
  std::optional<dom::element> found;
  for (const auto member : object) {
    if (member.key == field) found = member.value;
  }
  return found && !found->is_null() ? found : std::nullopt;
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
  dom::element null;
  if (!state_->object.at_key(field).get(null)) fail("field \"" + field + "\" is null, expected a string");
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

bool begins_with_json_object(const std::filesystem::path& path) {
  LineReader lines(path);
  std::string line;
  while (lines.next(line) && base::trimmed(line).empty()) {}
  if (!base::trimmed(line).starts_with('{')) return false;
  tame_json(line);
  dom::parser parser;
  dom::element element;
  return !parser.parse(line).get(element) && element.is_object();
}

}  // namespace memlayers::data
