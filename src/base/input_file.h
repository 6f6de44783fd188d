// A file of input that can be read any number of times, also where it is a pipe.
//
// A pipe, a FIFO, a process substitution or a terminal can be read only once. Its bytes are copied into a temporary
// file without a name (in TMPDIR, else /tmp), which ends with the process however that ends. Naming the same pipe again
// in one process gives the same bytes again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace memlayers::base {

class InputFile {
 public:
  /// Opens a file, or waits for all that a pipe gives. Throws IoError (missing, a folder, a device, no permission, no
  /// room for the copy) and, when a signal ends the wait (base::interrupted), Error.
  explicit InputFile(const std::filesystem::path& path);

  /// Up to `capacity` bytes from `offset` on; 0 at the end. Throws IoError.
  size_t read(void* out, size_t capacity, uint64_t offset) const;
  uint64_t bytes() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::shared_ptr<const int> descriptor_;  // closed by its last owner
};

/// True for what InputFile copies: it exists, and is neither a file nor a folder.
bool is_read_once(const std::filesystem::path& path);

}  // namespace memlayers::base
