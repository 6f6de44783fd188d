// The vocabulary of a configuration's field list: one Field per member, and the concepts the reader tells types by.
#pragma once

#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace memlayers::base {

template <class Owner, class Value>
struct Field {
  std::string_view name;
  Value Owner::*member;
  std::string_view help;
};

/// One entry of fields(): the key in files, the member it fills, one line of help.
template <class Owner, class Value>
constexpr Field<Owner, Value> field(std::string_view name, Value Owner::*member, std::string_view help) {
  return {name, member, help};
}

/// A struct with a field list.
template <class T>
concept Structure = requires {
  T::fields();
};

/// Numbers of blocks: a list, or the word all, which stands until resolve() says how many there are.
struct IndexList : std::vector<int64_t> {
  using std::vector<int64_t>::vector;
  IndexList() = default;
  IndexList(std::vector<int64_t> list) : std::vector<int64_t>(std::move(list)) {}

  bool all = false;
  void resolve(int64_t count) {
    if (!all) return;
    resize(static_cast<size_t>(count));
    std::iota(begin(), end(), int64_t{0});
    all = false;
  }
};

/// Names without commas: one, "a, b", or a list.
struct NameList : std::vector<std::string> {
  using std::vector<std::string>::vector;
};

/// An enumeration with named values (found next to the enumeration by argument-dependent lookup).
template <class T>
concept Enumeration = std::is_enum_v<T> && requires(T value) {
  enum_names(value);
};

template <class T>
concept Validated = requires(T& value) {
  value.validate();
};

namespace detail {

template <class T>
struct VectorTraits : std::false_type {};
template <class T>
struct VectorTraits<std::vector<T>> : std::true_type {};
template <>
struct VectorTraits<IndexList> : std::true_type {};
template <>
struct VectorTraits<NameList> : std::true_type {};

template <class T>
struct OptionalTraits : std::false_type {};
template <class T>
struct OptionalTraits<std::optional<T>> : std::true_type {};

template <class T>
struct MapTraits : std::false_type {};
template <class T>
struct MapTraits<std::map<std::string, T>> : std::true_type {};

}  // namespace detail

/// A configuration whose files may name a file that they start from: it has a member `std::string extends`.
template <class T>
concept ExtendsFiles = requires(T& value) {
  static_cast<std::string&>(value.extends);
};

template <class T>
concept ListMember = detail::VectorTraits<T>::value;
template <class T>
concept OptionalMember = detail::OptionalTraits<T>::value;
template <class T>
concept MapMember = detail::MapTraits<T>::value;

}  // namespace memlayers::base
