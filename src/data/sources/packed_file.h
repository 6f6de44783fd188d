// A file as it lies on disk, read through one buffer whose unread part is visible; and the sources that unpack it.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/input_file.h"
#include "data/sources/byte_source.h"

namespace memlayers::data {

class PackedFile {
 public:
  PackedFile(base::InputFile file, size_t buffer_bytes)
      : file_(std::move(file)), buffer_(std::max<size_t>(buffer_bytes, 16)) {}

  uint64_t bytes_read() const { return read_; }
  const char* data() const { return buffer_.data() + begin_; }
  size_t size() const { return end_ - begin_; }
  void consume(size_t count) { begin_ += count; }

  /// Makes at least one byte visible, or returns false at the end of the file.
  bool fill() {
    if (begin_ < end_) return true;
    begin_ = 0;
    end_ = file_.read(buffer_.data(), buffer_.size(), read_);
    read_ += end_;
    return end_ > 0;
  }

  bool begins_with(std::string_view magic) const {
    return size() >= magic.size() && std::memcmp(data(), magic.data(), magic.size()) == 0;
  }
  [[noreturn]] void fail(const std::string& reason) const { throw base::IoError(file_.path(), reason); }
  std::string name() const { return file_.path().string(); }

 private:
  base::InputFile file_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t read_ = 0;
};

std::unique_ptr<ByteSource> gzip_source(PackedFile file);
std::unique_ptr<ByteSource> zstd_source(PackedFile file);

/// By the first bytes that are visible.
bool is_gzip(const PackedFile& file);
bool is_zstd(const PackedFile& file);

}  // namespace memlayers::data
