// The JSON header of a safetensors file as data, not yet compared with the bytes that follow it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors/safetensors.h"

namespace memlayers::base {

/// Longest header that is read or written, bytes; the bound of the format's own implementation.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;   // none negative
  uint64_t begin = 0, end = 0;  // bytes after the header; begin <= end
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the header's order, names unique
  std::map<std::string, std::string> metadata;
};

/// Throws IoError(path, reason) for whatever is not exactly a header: other types, missing, unknown or duplicate keys.
SafetensorsHeader parse_safetensors_header(std::string_view json, const fs::path& path);

/// Throws IoError unless each entry's bytes are what dtype and shape need and the entries fill [0, buffer_bytes)
/// without hole or overlap.
void check_safetensors_layout(const SafetensorsHeader& header, uint64_t buffer_bytes, const fs::path& path);

/// Header text for `entries` in this order, filled up with spaces so that 8 + its size is a multiple of 8.
std::string safetensors_header_text(const std::vector<SafetensorsEntry>& entries,
                                    const std::map<std::string, std::string>& metadata);

/// Bytes of a tensor, or nothing when the product overflows.
std::optional<uint64_t> tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape);

/// A name from an untrusted file as it may stand in a message: quoted, escaped, short.
std::string shown_name(const std::string& name);

}  // namespace memlayers::base
