// TensorBoard event files with scalars, written without TensorFlow.
//
// A file is a sequence of TFRecords: u64 length, masked CRC-32C of the length, the bytes, masked CRC-32C of the bytes
// (little endian). The bytes are a protocol buffer `Event`: 1 wall_time (double), 2 step (int64), 3 file_version
// (string, first record only), 5 summary { 1 value { 1 tag, 2 simple_value (float) } }, 7 session_log { 1 status }.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace memlayers::base {

class EventWriter {
 public:
  /// Opens a new event file in `folder` (made if absent), which TensorBoard reads after those that are there. It begins
  /// with a session start at `first_step`: readers forget what the older files hold of that step and later ones. Throws
  /// IoError.
  EventWriter(const std::filesystem::path& folder, int64_t first_step);
  /// Appends one scalar and flushes it to the file. Throws IoError.
  void add_scalar(std::string_view tag, int64_t step, double value);
  const std::filesystem::path& path() const { return path_; }

 private:
  void append(const std::string& event);
  std::filesystem::path path_;
  std::ofstream file_;
};

/// CRC-32C (Castagnoli), as TFRecord files use it.
uint32_t crc32c(std::string_view bytes);

}  // namespace memlayers::base
