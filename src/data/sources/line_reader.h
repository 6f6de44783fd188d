// Lines of a plain, gzip or zstd file, streamed: memory is two buffers and one line, whatever the file's size.
//
// The packing is told by the file's first bytes; a name ending in .gz or .zst promises it, and a file that breaks the
// promise is refused, as is what is no text at all. Lines are cleaned by base::clean_line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace memlayers::data {

/// Longest line that is read; a longer one is refused.
inline constexpr size_t kMaxLineBytes = size_t{256} << 20;

class LineReader {
 public:
  /// Throws IoError (missing, a folder, no permission, no text, not of the kind its name says).
  explicit LineReader(const std::filesystem::path& path, size_t buffer_bytes = size_t{1} << 18);
  ~LineReader();

  /// The next line without its end; false after the last. Throws IoError (truncated or damaged stream, line too long).
  bool next(std::string& line);

  int64_t line_number() const;  // of the line last returned, from 1
  int64_t replaced() const;     // invalid UTF-8 sequences replaced so far
  uint64_t bytes_read() const;  // of the file as it lies on disk
  uint64_t file_bytes() const;
  const std::filesystem::path& path() const;
  /// "FILE:LINE", for messages.
  std::string where() const;

 private:
  void check_no_hole(const std::string& line) const;

  struct State;
  std::unique_ptr<State> state_;
};

/// A hash of the file's lines, the same however it is packed. Throws what LineReader throws.
uint64_t hash_lines(const std::filesystem::path& path);

}  // namespace memlayers::data
