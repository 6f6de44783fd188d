// Files: read-only memory maps, atomic replacement, arithmetic that cannot overflow.
//
// A file is replaced by writing a sibling `NAME.tmp-PID`, syncing it, renaming it over the old one and syncing the
// folder, so a reader sees the old bytes or the new ones, and a full disk leaves the old file as it was. Links are
// followed, and what cannot or must not be replaced is written as it stands (base/output.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace memlayers::base {

namespace fs = std::filesystem;

/// A whole file mapped read-only. Throws IoError (missing, not a regular file, no permission).
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Sequential writer into a temporary sibling; commit() makes it the file, destruction without commit() removes it. Of
/// a file that is replaced it takes owner and permissions; other hard links to it keep the old bytes. What is written
/// as it stands (a mount point, a device, a pipe) is held in memory until commit(), which waits for a pipe's reader.
class AtomicFile {
 public:
  /// Throws IoError as check_output_file does.
  explicit AtomicFile(const fs::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws IoError (disk full, quota, I/O error) naming the final path.
  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  void write_out(std::string_view bytes);
  void commit_as_it_stands();

  fs::path path_, target_, temporary_;  // as named; after all links; its sibling, empty where there is none
  std::string held_;
  int descriptor_ = -1;
};

/// All bytes of a file, or of a pipe (see InputFile). Throws IoError.
std::string read_text(const fs::path& path);
void write_text_atomically(const fs::path& path, std::string_view text);

/// Makes a folder from a filled sibling: `fill(temporary)` writes into it, every file and the folder are synced, then
/// it is renamed to `path`. An existing `path` is replaced, its owner and permissions kept. On an exception the
/// temporary folder is removed. A folder that cannot be renamed over is filled as it stands: the file `last`, by which
/// readers know that it is whole, leaves it first and comes last.
void write_folder_atomically(const fs::path& path, const std::function<void(const fs::path&)>& fill,
                             const std::string& last = {});

/// a * b or a + b, or nothing on overflow.
std::optional<uint64_t> checked_multiply(uint64_t a, uint64_t b);
std::optional<uint64_t> checked_add(uint64_t a, uint64_t b);

/// 64-bit xxHash of bytes, and of a whole file (read sequentially).
uint64_t hash_bytes(const void* data, size_t size, uint64_t seed = 0);
uint64_t hash_file(const fs::path& path);
/// A hash as files hold it: 16 digits, lower case.
std::string hash_text(uint64_t hash);

}  // namespace memlayers::base
