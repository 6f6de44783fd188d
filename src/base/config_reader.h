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
  /// `origins`: names of the files that the nodes' places count.
  ConfigReader(std::vector<std::string> origins, std::vector<std::string> all_keys)
      : origins_(std::move(origins)), all_keys_(std::move(all_keys)) {}
  ConfigReader(std::string origin, std::vector<std::string> all_keys)
      : ConfigReader(std::vector<std::string>{std::move(origin)}, std::move(all_keys)) {}

  void enter(const std::string& key) { path_.push_back(shown_text(key)); }
  void leave() { path_.pop_back(); }
  std::string where() const;

  /// "ORIGIN:LINE: KEY: message"
  [[noreturn]] void fail(ConfigPlace place, const std::string& message) const;
  /// `key` is none of `known`: names the nearest of them, else the nearest in the whole configuration, else lists them.
  [[noreturn]] void fail_unknown_key(ConfigPlace place, const std::string& key,
                                     const std::vector<std::string>& known) const;
  [[noreturn]] void fail_type(const ConfigNode& node, const std::string& expected) const;
  [[noreturn]] void fail_choice(const ConfigNode& node, const std::vector<std::string>& names) const;

  bool read_bool(const ConfigNode& node) const;
  int64_t read_signed(const ConfigNode& node, int64_t lowest, int64_t highest) const;
  uint64_t read_unsigned(const ConfigNode& node, uint64_t highest) const;
  double read_double(const ConfigNode& node) const;
  std::string read_string(const ConfigNode& node) const;

  /// The word all. Fails for any other word, so that it is told from a list of numbers.
  bool is_all(const ConfigNode& node) const;
  /// "4,12,20" as a sequence of plain scalars (for lists of numbers and of enumerations).
  static ConfigNode split_list(const ConfigNode& node);
  /// The index a path component names; at most `size` (one past the end appends).
  size_t read_index(const std::string& component, size_t size) const;

 private:
  std::string shown_place(ConfigPlace place) const;

  std::vector<std::string> origins_;
  std::vector<std::string> all_keys_;
  std::vector<std::string> path_;
};

/// Nearest of `names` by edit distance (a swap of neighbors counts as one edit); empty when none is near enough.
std::string nearest_name(const std::string& name, const std::vector<std::string>& names);

/// The whole file. Throws IoError; UsageError if it is larger than any configuration (kMaxConfigBytes).
std::string read_config_text(const std::filesystem::path& path);

/// The tree of `path`, whose name is added to `origins`; throws what read_config_text and parse_yaml throw.
ConfigNode read_alone(const std::filesystem::path& path, std::vector<std::string>& origins);
/// The same with what its key `extends` names (and that file's, and so on) under it; the key itself is gone. Throws
/// UsageError too where a file extends itself or is not there, with the file and line that say so.
ConfigNode read_extending(const std::filesystem::path& path, std::vector<std::string>& origins);

struct ConfigOverride {
  std::string text;               // as given, "a.b=value"
  std::vector<std::string> path;  // {"a", "b"}
  ConfigNode value;
};
ConfigOverride parse_override(const std::string& text);

/// Shortest text that reads back as the same double, always recognizable as one: "0.001", "3.0", ".inf".
std::string double_text(double value);

std::string help_text(const std::vector<ConfigLine>& lines);

}  // namespace memlayers::base
