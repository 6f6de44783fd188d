// The part of configuration reading that needs no template: where we are, what went wrong, scalars, nearest keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml_document.h"

namespace memlayers::base {

/// One leaf of a configuration for help and for suggestions.
struct ConfigLine {
  std::string name, value, help;
};

/// Follows the descent into a tree, so that each message names file, line and the full key.
class ConfigReader {
 public:
  ConfigReader(std::string origin, std::vector<std::string> all_keys)
      : origin_(std::move(origin)), all_keys_(std::move(all_keys)) {}

  void enter(const std::string& key) { path_.push_back(shown_text(key)); }
  void leave() { path_.pop_back(); }
  std::string where() const;

  /// "ORIGIN:LINE: KEY: message"
  [[noreturn]] void fail(int line, const std::string& message) const;
  /// `key` is none of `known`: names the nearest of them, else the nearest in the whole configuration, else lists them.
  [[noreturn]] void fail_unknown_key(int line, const std::string& key, const std::vector<std::string>& known) const;
  [[noreturn]] void fail_type(const ConfigNode& node, const std::string& expected) const;
  [[noreturn]] void fail_choice(const ConfigNode& node, const std::vector<std::string>& names) const;

  bool read_bool(const ConfigNode& node) const;
  int64_t read_signed(const ConfigNode& node, int64_t lowest, int64_t highest) const;
  uint64_t read_unsigned(const ConfigNode& node, uint64_t highest) const;
  double read_double(const ConfigNode& node) const;
  std::string read_string(const ConfigNode& node) const;

  /// "4,12,20" as a sequence of plain scalars (for lists of numbers and of enumerations).
  static ConfigNode split_list(const ConfigNode& node);
  /// The index a path component names; at most `size` (one past the end appends).
  size_t read_index(const std::string& component, size_t size) const;

 private:
  std::string origin_;
  std::vector<std::string> all_keys_;
  std::vector<std::string> path_;
};

/// Nearest of `names` by edit distance (a swap of neighbours counts as one edit); empty when none is near enough.
std::string nearest_name(const std::string& name, const std::vector<std::string>& names);

/// The whole file. Throws IoError; UsageError if it is larger than any configuration (kMaxConfigBytes).
std::string read_config_text(const std::filesystem::path& path);

struct ConfigOverride {
  std::string text;               // as given, "a.b=value"
  std::vector<std::string> path;  // {"a", "b"}
  ConfigNode value;
};
ConfigOverride parse_override(const std::string& text);

/// Shortest text that reads back as the same double, always recognisable as one: "0.001", "3.0", ".inf".
std::string double_text(double value);

std::string help_text(const std::vector<ConfigLine>& lines);

}  // namespace memlayers::base
