// The values of an enumeration by name and back, as its enum_names lists them (base/config.h).
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_field.h"

namespace memlayers::base {

template <Enumeration T>
constexpr std::string_view enum_name(T value) {
  for (const auto& [each, name] : enum_names(T{})) {
    if (each == value) return name;
  }
  assert(false && "an enumerator without a name");
  return {};
}

/// Nothing where no value has that name.
template <Enumeration T>
constexpr std::optional<T> enum_named(std::string_view wanted) {
  for (const auto& [value, name] : enum_names(T{})) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

/// All names, in their order.
template <Enumeration T>
std::vector<std::string> enum_choices() {
  std::vector<std::string> names;
  for (const auto& [value, name] : enum_names(T{})) names.emplace_back(name);
  return names;
}

}  // namespace memlayers::base
