// What a file is that is not text, by its first bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace memlayers::data {

/// First bytes of a file by which its kind is told.
inline constexpr size_t kKindBytes = 4096;

/// Throws IoError where `head`, the first kKindBytes unpacked bytes of `path` (all where there are fewer), belong to
/// something else than text: it says what that is and what to do. `packing` is "gzip", "zstd" or empty. Text with
/// invalid bytes passes.
void refuse_what_is_not_text(std::string_view head, const std::filesystem::path& path, const std::string& packing);

}  // namespace memlayers::data
