// Definitions of config.h's templates: a walk over the field list for each of reading, overriding, validating, dumping
// and help. What needs no type of the user's is in config_reader.cpp.
#pragma once

#include <limits>
#include <utility>

#include "base/config_reader.h"
#include "base/enum_names.h"
#include "base/error.h"

namespace memlayers::base {
namespace detail {

template <Structure T>
std::vector<std::string> key_names() {
  return std::apply([](const auto&... item) { return std::vector<std::string>{std::string(item.name)...}; },
                    T::fields());
}

// Reading.

template <class T>
void read_value(ConfigReader& reader, const ConfigNode& node, T& value);

template <Structure T>
void read_structure(ConfigReader& reader, const ConfigNode& node, T& value) {
  if (node.kind != ConfigNode::Kind::kMapping) reader.fail_type(node, "a section of keys");
  for (size_t i = 0; i < node.items.size(); ++i) {
    const std::string& key = node.keys[i].name;
    auto read_if_named = [&](const auto& item) {
      if (item.name != key) return false;
      reader.enter(key);
      read_value(reader, node.items[i], value.*item.member);
      reader.leave();
      return true;
    };
    const bool known = std::apply([&](const auto&... item) { return (read_if_named(item) || ...); }, T::fields());
    if (!known) reader.fail_unknown_key(node.keys[i], key, key_names<T>());
  }
}

template <class T>
void read_list(ConfigReader& reader, const ConfigNode& node, std::vector<T>& value) {
  constexpr bool separable = std::is_arithmetic_v<T> || Enumeration<T>;
  if constexpr (separable) {
    if (node.kind == ConfigNode::Kind::kPlain || node.kind == ConfigNode::Kind::kText) {
      return read_list(reader, ConfigReader::split_list(node), value);
    }
  }
  if (node.kind != ConfigNode::Kind::kSequence) reader.fail_type(node, "a list");
  value.clear();
  for (size_t i = 0; i < node.items.size(); ++i) {
    T element{};
    reader.enter(std::to_string(i));
    read_value(reader, node.items[i], element);
    reader.leave();
    value.push_back(std::move(element));
  }
}

inline void read_indices(ConfigReader& reader, const ConfigNode& node, IndexList& value) {
  value.all = reader.is_all(node);
  if (value.all) return value.clear();
  read_list<int64_t>(reader, node, value);
}

inline void read_names(ConfigReader& reader, const ConfigNode& node, NameList& value) {
  const bool one = node.kind == ConfigNode::Kind::kPlain || node.kind == ConfigNode::Kind::kText;
  read_list<std::string>(reader, one ? ConfigReader::split_list(node) : node, value);
}

template <class T>
void read_map(ConfigReader& reader, const ConfigNode& node, std::map<std::string, T>& value) {
  if (node.kind != ConfigNode::Kind::kMapping) reader.fail_type(node, "a section of keys");
  value.clear();
  for (size_t i = 0; i < node.items.size(); ++i) {
    reader.enter(node.keys[i].name);
    read_value(reader, node.items[i], value[node.keys[i].name]);
    reader.leave();
  }
}

template <Enumeration T>
void read_enumeration(ConfigReader& reader, const ConfigNode& node, T& value) {
  const bool scalar = node.kind == ConfigNode::Kind::kPlain || node.kind == ConfigNode::Kind::kText;
  const std::optional<T> named = scalar ? enum_named<T>(node.text) : std::nullopt;
  if (!named) reader.fail_choice(node, enum_choices<T>());
  value = *named;
}

template <class T>
void read_value(ConfigReader& reader, const ConfigNode& node, T& value) {
  if constexpr (Structure<T>) {
    read_structure(reader, node, value);
  } else if constexpr (std::is_same_v<T, IndexList>) {
    read_indices(reader, node, value);
  } else if constexpr (std::is_same_v<T, NameList>) {
    read_names(reader, node, value);
  } else if constexpr (ListMember<T>) {
    read_list(reader, node, value);
  } else if constexpr (MapMember<T>) {
    read_map(reader, node, value);
  } else if constexpr (OptionalMember<T>) {
    if (node.kind == ConfigNode::Kind::kNull) {
      value.reset();
      return;
    }
    if (!value) value.emplace();
    read_value(reader, node, *value);
  } else if constexpr (Enumeration<T>) {
    read_enumeration(reader, node, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = reader.read_bool(node);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    value = static_cast<T>(reader.read_signed(node, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_integral_v<T>) {
    value = static_cast<T>(reader.read_unsigned(node, std::numeric_limits<T>::max()));
  } else if constexpr (std::is_same_v<T, double>) {
    value = reader.read_double(node);
  } else {
    static_assert(std::is_same_v<T, std::string>, "a configuration member of this type is not supported");
    value = reader.read_string(node);
  }
}

// Overriding: the same descent along one path.

using Path = std::span<const std::string>;

template <class T>
void override_value(ConfigReader& reader, Path path, const ConfigNode& node, T& value);

template <Structure T>
void override_structure(ConfigReader& reader, Path path, const ConfigNode& node, T& value) {
  auto override_if_named = [&](const auto& item) {
    if (item.name != path[0]) return false;
    reader.enter(path[0]);
    override_value(reader, path.subspan(1), node, value.*item.member);
    reader.leave();
    return true;
  };
  const bool known = std::apply([&](const auto&... item) { return (override_if_named(item) || ...); }, T::fields());
  if (!known) reader.fail_unknown_key(0, path[0], key_names<T>());
}

template <class T>
void override_list(ConfigReader& reader, Path path, const ConfigNode& node, std::vector<T>& value) {
  const size_t index = reader.read_index(path[0], value.size());
  T element = index < value.size() ? T(value[index]) : T{};
  reader.enter(path[0]);
  override_value(reader, path.subspan(1), node, element);
  reader.leave();
  if (index < value.size()) {
    value[index] = std::move(element);
  } else {
    value.push_back(std::move(element));
  }
}

template <class T>
void override_value(ConfigReader& reader, Path path, const ConfigNode& node, T& value) {
  if (path.empty()) return read_value(reader, node, value);
  if constexpr (Structure<T>) {
    override_structure(reader, path, node, value);
  } else if constexpr (ListMember<T>) {
    if constexpr (std::is_same_v<T, IndexList>) {
      if (value.all) reader.fail(0, "is all; it has no element to change, give the whole list");
    }
    override_list(reader, path, node, value);
  } else if constexpr (MapMember<T>) {
    reader.enter(path[0]);
    override_value(reader, path.subspan(1), node, value[path[0]]);
    reader.leave();
  } else if constexpr (OptionalMember<T>) {
    if (!value) value.emplace();
    override_value(reader, path, node, *value);
  } else {
    reader.fail(0, concat("is a single value; it has no key ", shown_text(path[0])));
  }
}

// Validating, inner structures first.

template <class T>
void validate_value(T& value) {
  if constexpr (Structure<T>) {
    std::apply([&](const auto&... item) { (validate_value(value.*item.member), ...); }, T::fields());
    if constexpr (Validated<T>) value.validate();
  } else if constexpr (ListMember<T>) {
    if constexpr (!std::is_same_v<T, std::vector<bool>>) {
      for (auto& element : value) validate_value(element);
    }
  } else if constexpr (MapMember<T>) {
    for (auto& [key, element] : value) validate_value(element);
  } else if constexpr (OptionalMember<T>) {
    if (value) validate_value(*value);
  }
}

// Dumping.

template <class T>
ConfigNode node_of(const T& value) {
  ConfigNode node;
  if constexpr (Structure<T>) {
    node.kind = ConfigNode::Kind::kMapping;
    auto add = [&](const auto& item) { node.add(std::string(item.name), node_of(value.*item.member)); };
    std::apply([&](const auto&... item) { (add(item), ...); }, T::fields());
  } else if constexpr (ListMember<T>) {
    if constexpr (std::is_same_v<T, IndexList>) {
      if (value.all) return ConfigNode::quoted("all");
    }
    node.kind = ConfigNode::Kind::kSequence;
    for (const auto& element : value) node.items.push_back(node_of<typename T::value_type>(element));
  } else if constexpr (MapMember<T>) {
    node.kind = ConfigNode::Kind::kMapping;
    for (const auto& [key, element] : value) node.add(key, node_of(element));
  } else if constexpr (OptionalMember<T>) {
    if (value) return node_of(*value);
  } else if constexpr (Enumeration<T>) {
    return ConfigNode::quoted(std::string(enum_name(value)));
  } else if constexpr (std::is_same_v<T, bool>) {
    return ConfigNode::plain(value ? "true" : "false");
  } else if constexpr (std::is_integral_v<T>) {
    return ConfigNode::plain(std::to_string(value));
  } else if constexpr (std::is_same_v<T, double>) {
    return ConfigNode::plain(double_text(value));
  } else {
    return ConfigNode::quoted(value);
  }
  return node;
}

// Help: one line a leaf; a list of structures shows its element's keys under N, a map under NAME.

template <class T>
struct ElementOf {
  using type = typename T::value_type;
};
template <class T>
struct ElementOf<std::map<std::string, T>> {
  using type = T;
};

template <class T>
void collect_lines(const std::string& name, std::string_view help, const T& value, std::vector<ConfigLine>& lines) {
  const std::string prefix = name.empty() ? "" : name + ".";
  if constexpr (Structure<T>) {
    auto collect = [&](const auto& item) {
      collect_lines(prefix + std::string(item.name), item.help, value.*item.member, lines);
    };
    std::apply([&](const auto&... item) { (collect(item), ...); }, T::fields());
  } else if constexpr (OptionalMember<T>) {
    if constexpr (Structure<typename T::value_type>) {
      collect_lines(name, help, value.value_or(typename T::value_type{}), lines);
    } else {
      lines.push_back({name, flow_from_node(node_of(value)), std::string(help)});
    }
  } else if constexpr (ListMember<T> || MapMember<T>) {
    using Element = typename ElementOf<T>::type;
    if constexpr (Structure<Element>) {
      collect_lines(prefix + (ListMember<T> ? "N" : "NAME"), help, Element{}, lines);
    } else {
      lines.push_back({name, flow_from_node(node_of(value)), std::string(help)});
    }
  } else {
    lines.push_back({name, flow_from_node(node_of(value)), std::string(help)});
  }
}

template <Structure Config>
std::vector<std::string> all_keys() {
  std::vector<ConfigLine> lines;
  collect_lines("", "", Config{}, lines);
  std::vector<std::string> keys;
  for (ConfigLine& line : lines) keys.push_back(std::move(line.name));
  return keys;
}

template <class Config>
void apply_overrides(Config& config, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const ConfigOverride item = parse_override(text);
    ConfigReader reader("override " + shown_text(text), all_keys<Config>());
    override_value(reader, Path(item.path), item.value, config);
  }
}

}  // namespace detail

namespace detail {

/// `origins`: the file that is read, then those it extends.
template <class Config>
Config config_from(const ConfigNode& root, const std::vector<std::string>& origins,
                   const std::vector<std::string>& overrides) {
  Config config{};
  ConfigReader reader(origins, all_keys<Config>());
  if (root.kind != ConfigNode::Kind::kNull) read_value(reader, root, config);
  apply_overrides(config, overrides);
  try {
    validate_value(config);
  } catch (const UsageError& error) {
    throw UsageError(concat(origins.front(), ": ", error.what()));
  }
  return config;
}

}  // namespace detail

template <class Config>
Config parse_config(const std::string& text, const std::string& origin, const std::vector<std::string>& overrides) {
  return detail::config_from<Config>(parse_yaml(text, origin), {origin}, overrides);
}

template <class Config>
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  std::vector<std::string> origins;
  const ConfigNode root = ExtendsFiles<Config> ? read_extending(path, origins) : read_alone(path, origins);
  return detail::config_from<Config>(root, origins, overrides);
}

template <class Config>
void override_config(Config& config, const std::vector<std::string>& overrides) {
  Config changed = config;
  detail::apply_overrides(changed, overrides);
  detail::validate_value(changed);
  config = std::move(changed);
}

template <class Config, class Json>
Json config_to_json(const Config& config) {
  return json_from_node(detail::node_of(config));
}

template <class Config>
std::string config_to_yaml(const Config& config) {
  return yaml_from_node(detail::node_of(config));
}

template <class Config>
std::string config_help(const Config& defaults) {
  std::vector<ConfigLine> lines;
  detail::collect_lines("", "", defaults, lines);
  return help_text(lines);
}

}  // namespace memlayers::base
