// The bytes of a token shard, as token_shard.h describes them, in one place for the reader and the writer.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace memlayers::data {

inline constexpr std::array<char, 9> kShardMagic = {'M', 'M', 'I', 'D', 'I', 'D', 'X', '\0', '\0'};
inline constexpr uint64_t kShardVersion = 1;
inline constexpr uint8_t kInt32Code = 4, kUint16Code = 8;
inline constexpr size_t kShardHeaderBytes = 9 + 8 + 1 + 8 + 8;

inline std::filesystem::path index_path(const std::filesystem::path& stem) { return stem.string() + ".idx"; }
inline std::filesystem::path tokens_path(const std::filesystem::path& stem) { return stem.string() + ".bin"; }

}  // namespace memlayers::data
