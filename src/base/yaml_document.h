// A parsed YAML or JSON text as a small tree with line numbers, and the tree's way back to YAML and JSON.
//
// The rest of base sees only this tree: yaml-cpp stays in one .cpp file, so that a header with a configuration in it
// compiles quickly. Texts are untrusted: depth, number of nodes (aliases counted as often as they are used) and size
// are bounded, duplicate keys and unknown tags are refused.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memlayers::base {

/// Where a value stands. Lines are counted from 1, 0: unknown; files from 0, the one that was asked for.
struct ConfigPlace {
  ConfigPlace(int in_line = 0) : line(in_line) {}
  int line, file = 0;
};

struct ConfigNode : ConfigPlace {
  /// kPlain is an unquoted scalar (number, true, word), kText a quoted one: only a string member takes it.
  enum class Kind { kNull, kPlain, kText, kSequence, kMapping };
  struct Key : ConfigPlace {
    Key(std::string text, ConfigPlace place) : ConfigPlace(place), name(std::move(text)) {}
    std::string name;
  };

  Kind kind = Kind::kNull;
  std::string text;
  std::vector<Key> keys;          // of a mapping, one for each item
  std::vector<ConfigNode> items;  // of a sequence or a mapping

  static ConfigNode plain(std::string text);
  static ConfigNode quoted(std::string text);
  void add(std::string key, ConfigNode item);
};

/// Largest text, deepest nesting and most nodes that parse_yaml accepts; aliases may at most double the text.
inline constexpr size_t kMaxConfigBytes = size_t{64} << 20;
inline constexpr int kMaxConfigDepth = 64;
inline constexpr size_t kMaxConfigNodes = 2'000'000;

/// Throws UsageError unless `text` is UTF-8 of an accepted size without control characters: two of those (0x00, 0x04)
/// would end yaml-cpp's input early, and other bytes it would replace, so that a path would silently name another file.
void check_config_text(const std::string& text, const std::string& origin);

/// Parses one YAML document (so also JSON). Throws UsageError "ORIGIN:LINE: reason". An empty text is a kNull node.
ConfigNode parse_yaml(const std::string& text, const std::string& origin);

/// Block style; a text that would read as something else is quoted, so parse_yaml of the result gives an equal tree.
/// Plain scalars must be numbers or booleans, as a configuration's are; they are written as they stand.
std::string yaml_from_node(const ConfigNode& node);
/// The same on one line, without a line's end: [1, 2], {a: 1, b: x}.
std::string flow_from_node(const ConfigNode& node);
/// Plain scalars become booleans and numbers where they read as such; .inf and .nan become strings, as JSON has
/// neither.
nlohmann::ordered_json json_from_node(const ConfigNode& node);

/// An untrusted text as it may stand in a message: one line, at most 60 bytes of it.
std::string shown_text(std::string_view text);

}  // namespace memlayers::base
