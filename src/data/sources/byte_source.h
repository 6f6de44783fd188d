// A file's bytes, unpacked on the way: the lower half of LineReader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace memlayers::data {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `capacity` unpacked bytes; 0 at the end. Throws IoError (truncated, damaged, unreadable).
  virtual size_t read(char* out, size_t capacity) = 0;
  virtual uint64_t bytes_read() const = 0;  // of the packed file
};

/// Opens a plain, gzip or zstd file. `buffer_bytes` is the size of the buffer of packed bytes.
std::unique_ptr<ByteSource> open_byte_source(const std::filesystem::path& path, size_t buffer_bytes);

}  // namespace memlayers::data
