// ConfigNode to YAML and JSON text. The writer quotes whatever could be read back as another kind of scalar.

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/yaml_document.h"

namespace memlayers::base {
namespace {

using Kind = ConfigNode::Kind;

bool word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '/' || c == '.';
}

/// A text that YAML of any version reads back as the same text without quotes.
bool safe_unquoted(std::string_view text) {
  if (text.empty()) return false;
  const char first = text.front();
  const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/' || first == '_';
  if (!letter) return false;
  for (const char c : text) {
    if (!word_character(c)) return false;
  }
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"}) {
    if (lower == word) return false;
  }
  return true;
}

std::string quote(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (code < 0x20 || code == 0x7f) {
      out += "\\x";
      out += kHex[code >> 4];
      out += kHex[code & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string scalar_text(const ConfigNode& node) {
  if (node.kind == Kind::kNull) return "null";
  if (node.kind == Kind::kText && !safe_unquoted(node.text)) return quote(node.text);
  return node.text;
}

bool is_scalar(const ConfigNode& node) { return node.kind != Kind::kSequence && node.kind != Kind::kMapping; }

/// A node that fits on its key's line: a scalar, an empty collection, or a list of scalars.
bool fits_a_line(const ConfigNode& node) {
  if (is_scalar(node) || node.items.empty()) return true;
  if (node.kind == Kind::kMapping) return false;
  for (const ConfigNode& item : node.items) {
    if (!is_scalar(item)) return false;
  }
  return true;
}

std::string key_text(const std::string& name) { return safe_unquoted(name) ? name : quote(name); }

void write_block(const ConfigNode& node, size_t indent, bool first_is_placed, std::string& out) {
  for (size_t i = 0; i < node.items.size(); ++i) {
    const ConfigNode& item = node.items[i];
    if (i > 0 || !first_is_placed) out.append(indent, ' ');
    if (node.kind == Kind::kSequence) {
      out += "- ";
      if (fits_a_line(item)) {
        out += flow_from_node(item) + "\n";
      } else {
        write_block(item, indent + 2, true, out);
      }
      continue;
    }
    out += key_text(node.keys[i].name) + ":";
    if (fits_a_line(item)) {
      out += " " + flow_from_node(item) + "\n";
    } else {
      out += "\n";
      write_block(item, indent + 2, false, out);
    }
  }
}

template <class Number>
bool reads_as(const std::string& text, Number& value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

nlohmann::ordered_json plain_json(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  int64_t integer = 0;
  uint64_t natural = 0;
  double real = 0;
  if (reads_as(text, integer)) return integer;
  if (reads_as(text, natural)) return natural;
  const bool number = text.find_first_not_of("0123456789+-.eE") == std::string::npos;  // so neither inf nor nan
  if (number && reads_as(text, real)) return real;
  return text;
}

}  // namespace

std::string flow_from_node(const ConfigNode& node) {
  if (is_scalar(node)) return scalar_text(node);
  const bool mapping = node.kind == Kind::kMapping;
  std::string out = mapping ? "{" : "[";
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) out += ", ";
    if (mapping) out += key_text(node.keys[i].name) + ": ";
    out += flow_from_node(node.items[i]);
  }
  return out + (mapping ? "}" : "]");
}

std::string yaml_from_node(const ConfigNode& node) {
  if (fits_a_line(node)) return flow_from_node(node) + "\n";
  std::string out;
  write_block(node, 0, false, out);
  return out;
}

nlohmann::ordered_json json_from_node(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return nullptr;
    case Kind::kPlain:
      return plain_json(node.text);
    case Kind::kText:
      return node.text;
    case Kind::kSequence: {
      auto list = nlohmann::ordered_json::array();
      for (const ConfigNode& item : node.items) list.push_back(json_from_node(item));
      return list;
    }
    case Kind::kMapping: {
      auto object = nlohmann::ordered_json::object();
      for (size_t i = 0; i < node.items.size(); ++i) object[node.keys[i].name] = json_from_node(node.items[i]);
      return object;
    }
  }
  return nullptr;
}

}  // namespace memlayers::base
