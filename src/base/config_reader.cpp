// Scalars, messages and suggestions of the configuration reader.

#include "base/config_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/input_file.h"
#include "base/joined.h"

namespace memlayers::base {
namespace {

using Kind = ConfigNode::Kind;

/// A value as it may stand in a message: short, on one line.
std::string shown(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kSequence:
      return "a list";
    case Kind::kMapping:
      return "a section";
    case Kind::kPlain:
    case Kind::kText:
      break;
  }
  return node.kind == Kind::kText ? "the text \"" + shown_text(node.text) + "\"" : shown_text(node.text);
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, row);
  }
  return previous[b.size()];
}

std::string last_component(const std::string& key) { return key.substr(key.rfind('.') + 1); }

template <class Number>
std::errc read_whole(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec == std::errc() && result.ptr != end) return std::errc::invalid_argument;
  // Digits that overflow and are followed by something else are no number at all.
  if (result.ec == std::errc::result_out_of_range && result.ptr != end) return std::errc::invalid_argument;
  return result.ec;
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& names) {
  if (name.size() > 100) return {};
  const size_t limit = std::max<size_t>(1, std::min<size_t>(4, (name.size() + 1) / 3));
  std::string best;
  size_t best_distance = limit + 1;
  for (const std::string& candidate : names) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string ConfigReader::where() const { return joined(path_, "."); }

std::string ConfigReader::shown_place(ConfigPlace place) const {
  const std::string& origin = origins_[static_cast<size_t>(place.file)];
  return place.line > 0 ? origin + ":" + std::to_string(place.line) : origin;
}

void ConfigReader::fail(ConfigPlace place, const std::string& message) const {
  throw UsageError(shown_place(place) + (path_.empty() ? "" : ": " + where()) + ": " + message);
}

void ConfigReader::fail_unknown_key(ConfigPlace place, const std::string& key,
                                    const std::vector<std::string>& known) const {
  const std::string full = path_.empty() ? shown_text(key) : where() + "." + shown_text(key);
  std::string advice = nearest_name(key, known);
  if (advice.empty()) {  // the right key in the wrong section
    for (const std::string& candidate : all_keys_) {
      if (last_component(candidate) == key) advice = candidate;
    }
  }
  advice = advice.empty() ? "known here: " + joined(known, ", ") : "did you mean " + advice + "?";
  throw UsageError(concat(shown_place(place), ": unknown key ", full, " (", advice, ")"));
}

void ConfigReader::fail_type(const ConfigNode& node, const std::string& expected) const {
  fail(node, "expected " + expected + ", got " + shown(node));
}

void ConfigReader::fail_choice(const ConfigNode& node, const std::vector<std::string>& names) const {
  std::string message = "expected one of " + joined(names, ", ") + "; got " + shown(node);
  const std::string near = nearest_name(node.text, names);
  if (!near.empty()) message += " (did you mean " + near + "?)";
  fail(node, message);
}

bool ConfigReader::read_bool(const ConfigNode& node) const {
  if (node.kind == Kind::kPlain) {
    if (node.text == "true" || node.text == "True" || node.text == "TRUE") return true;
    if (node.text == "false" || node.text == "False" || node.text == "FALSE") return false;
  }
  fail_type(node, "true or false");
}

int64_t ConfigReader::read_signed(const ConfigNode& node, int64_t lowest, int64_t highest) const {
  int64_t value = 0;
  const std::errc error = node.kind == Kind::kPlain ? read_whole(node.text, value) : std::errc::invalid_argument;
  if (error == std::errc::invalid_argument) fail_type(node, "a whole number");
  if (error != std::errc() || value < lowest || value > highest) {
    fail_type(node, concat("a whole number from ", lowest, " to ", highest));
  }
  return value;
}

uint64_t ConfigReader::read_unsigned(const ConfigNode& node, uint64_t highest) const {
  uint64_t value = 0;
  const bool negative = node.kind == Kind::kPlain && node.text.size() > 1 && node.text[0] == '-';
  std::errc error = node.kind == Kind::kPlain ? read_whole(negative ? node.text.substr(1) : node.text, value)
                                              : std::errc::invalid_argument;
  if (error == std::errc::invalid_argument) fail_type(node, "a whole number");
  if (error != std::errc() || value > highest || (negative && value != 0)) {
    fail_type(node, concat("a whole number from 0 to ", highest));
  }
  return value;
}

double ConfigReader::read_double(const ConfigNode& node) const {
  if (node.kind == Kind::kPlain || node.kind == Kind::kText) {  // quoted: JSON has no other way to write these
    if (node.text == ".inf") return std::numeric_limits<double>::infinity();
    if (node.text == "-.inf") return -std::numeric_limits<double>::infinity();
    if (node.text == ".nan") return std::numeric_limits<double>::quiet_NaN();
  }
  double value = 0;
  // from_chars alone would take inf and nan(7).
  const bool number = node.kind == Kind::kPlain && node.text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  const std::errc error = number ? read_whole(node.text, value) : std::errc::invalid_argument;
  if (error == std::errc::result_out_of_range) fail_type(node, "a number that a double can hold");
  if (error != std::errc()) fail_type(node, "a number");
  return value;
}

std::string ConfigReader::read_string(const ConfigNode& node) const {
  if (node.kind != Kind::kPlain && node.kind != Kind::kText) fail_type(node, "a text");
  return node.text;
}

bool ConfigReader::is_all(const ConfigNode& node) const {
  if (node.kind != Kind::kPlain && node.kind != Kind::kText) return false;
  if (node.text == "all") return true;
  if (node.text.find_first_not_of("0123456789, ") != std::string::npos)
    fail_type(node, "all, or a list of whole numbers such as [1, 3]");
  return false;
}

ConfigNode ConfigReader::split_list(const ConfigNode& node) {
  ConfigNode list;
  list.kind = Kind::kSequence;
  list.line = node.line;
  if (node.text.empty()) return list;
  size_t begin = 0;
  while (begin <= node.text.size()) {
    const size_t comma = std::min(node.text.find(',', begin), node.text.size());
    std::string part = node.text.substr(begin, comma - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    list.items.push_back(ConfigNode::plain(std::move(part)));
    list.items.back().line = node.line;
    begin = comma + 1;
  }
  return list;
}

size_t ConfigReader::read_index(const std::string& component, size_t size) const {
  size_t index = 0;
  if (read_whole(component, index) != std::errc()) {
    fail(0, concat("expected the number of a list element, got ", shown_text(component), "; the list has ", size,
                   " elements"));
  }
  if (index > size) fail(0, concat("has ", size, " elements, so ", index, " is neither one of them nor the next"));
  return index;
}

std::string read_config_text(const std::filesystem::path& path) {
  // Asked first: a checkpoint named by mistake is not read.
  if (InputFile(path).bytes() > kMaxConfigBytes) {
    throw UsageError(concat(path.string(), ": larger than ", kMaxConfigBytes >> 20, " MiB, so no configuration"));
  }
  return read_text(path);
}

ConfigOverride parse_override(const std::string& text) {
  check_config_text(text, "override");
  const size_t equals = text.find('=');
  check(equals != std::string::npos && equals > 0, "override ", shown_text(text),
        ": expected key=value, such as optimizer.eps=1e-8");
  ConfigOverride result;
  result.text = text;
  const std::string key = text.substr(0, equals);
  size_t begin = 0;
  while (begin <= key.size()) {
    const size_t dot = std::min(key.find('.', begin), key.size());
    check(dot > begin, "override ", shown_text(text), ": the key has an empty part");
    result.path.push_back(key.substr(begin, dot - begin));
    begin = dot + 1;
  }
  const std::string value = text.substr(equals + 1);
  // `key=` sets an empty text; what unsets an optional is `key=null`.
  result.value = value.empty() ? ConfigNode::quoted("") : parse_yaml(value, "override " + shown_text(key));
  return result;
}

std::string double_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  char buffer[40];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, result.ptr);
  // 1e-08 gets a point too: YAML 1.1 readers such as PyYAML take it for a text otherwise.
  if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

std::string help_text(const std::vector<ConfigLine>& lines) {
  size_t width = 0;
  for (const ConfigLine& line : lines) width = std::max(width, line.name.size());
  std::string out;
  for (const ConfigLine& line : lines) {
    out += line.name + std::string(width - line.name.size() + 2, ' ') + "[" + line.value + "]  " + line.help + "\n";
  }
  return out;
}

}  // namespace memlayers::base
