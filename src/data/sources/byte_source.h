// A file's bytes, unpacked on the way: the lower half of LineReader.
#pragma once

#include <cstdint>
#include <memory>

#include "base/input_file.h"

namespace memlayers::data {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `capacity` unpacked bytes; 0 at the end. Throws IoError (truncated, damaged, unreadable).
  virtual size_t read(char* out, size_t capacity) = 0;
  virtual uint64_t bytes_read() const = 0;  // of the packed file
};

/// Opens text: a plain, gzip or zstd file, told by its content. `buffer_bytes` is the size of the buffer of packed
/// bytes. Throws IoError (damaged, not packed as its name says) with what it is and what to do where it is not text.
std::unique_ptr<ByteSource> open_byte_source(const base::InputFile& input, size_t buffer_bytes);

}  // namespace memlayers::data
