// Configuration as plain structs, each with one list of its fields.
//
//   struct LoaderConfig {
//     std::string path;
//     int64_t seq_len = 256;
//
//     static constexpr auto fields() {
//       return std::tuple{field("path", &LoaderConfig::path, "folder written by `memlayers prepare`"),
//                         field("seq_len", &LoaderConfig::seq_len, "tokens of one training sequence")};
//     }
//     void validate() const;   // optional; throws UsageError; called after every load, inner structs first
//   };
//
// From that list come parsing (YAML or JSON, since JSON is YAML), `a.b=value` overrides, the dump, and the help text.
// A member may be bool, an integer, double, std::string, a struct with fields(), std::vector or std::optional of
// these, std::map<std::string, T>, or an enumeration E with a visible `constexpr auto enum_names(E)` returning
// an array of {E, "name"} pairs; IndexList (numbers, or all) and NameList are lists of their own. An unknown key is an
// error that names file, line and the nearest known key. A double takes .inf and .nan too: validate() refuses what must
// be finite.
//
// A file of a configuration with a field `extends` may name another file there, relative to its own folder: its keys
// come first. Sections are joined key by key; whatever else both have, lists too, is taken from the extending file.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/config_field.h"

namespace memlayers::base {

/// Reads `path` (YAML or JSON), then applies `overrides` ("model.hidden_size=64") in order, then validates.
/// Precedence: defaults < file < overrides. Throws UsageError (key, file:line, nearest key) or IoError.
template <class Config>
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

/// The same from text; `origin` stands for the file name in messages.
template <class Config>
Config parse_config(const std::string& text, const std::string& origin, const std::vector<std::string>& overrides = {});

/// Applies `a.b=value` to an existing configuration, then validates it. The value is parsed as YAML ("[1, 2]", "true",
/// "3e-4"; a list of numbers or names also as "4,12,20"; nothing after = is the empty text or list); list elements go
/// by number ("data.sources.0.path=x"), and the number after the last appends one. On an error `config` stays as it
/// was.
template <class Config>
void override_config(Config& config, const std::vector<std::string>& overrides);

/// Every field with its value, in declaration order; load_config of the dump gives an equal configuration.
/// Whoever calls config_to_json includes <nlohmann/json.hpp>: here the type is only declared, and a template parameter
/// so that the order of includes does not matter.
template <class Config, class Json = nlohmann::ordered_json>
Json config_to_json(const Config& config);
template <class Config>
std::string config_to_yaml(const Config& config);

/// One line a field: dotted name, default, help.
template <class Config>
std::string config_help(const Config& defaults = {});

}  // namespace memlayers::base

#include "base/config_impl.h"
