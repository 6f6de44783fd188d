#include "base/file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"
#include "base/file_sync.h"
#include "base/input_file.h"
#include "base/interrupt.h"
#include "base/output.h"

namespace memlayers::base {
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw IoError(path, what + ": " + std::strerror(errno));
}

// A test's way to a full disk: after this many bytes in the process, writes fail as if no space were left.
bool disk_is_declared_full(size_t size) {
  const char* const limit = std::getenv("MEMLAYERS_FAIL_WRITES_AFTER");
  if (!limit) return false;
  static uint64_t written = 0;
  written += size;
  return written > std::strtoull(limit, nullptr, 10);
}

void keep_owner_and_mode(const fs::path& old, int descriptor) {
  struct stat status = {};
  if (::stat(old.c_str(), &status) != 0) return;
  // Only root gives files away; another user's file in a shared folder becomes that of who writes it.
  const bool kept = ::fchown(descriptor, status.st_uid, status.st_gid) == 0;
  ::fchmod(descriptor, status.st_mode & (kept ? 0777 : 0755));
}

/// Opens what is written to but never replaced. A descriptor of our own (/dev/stdout) is shared, so that it goes on
/// where the last writer ended. Waits for the reader of a pipe; -1 with errno set on failure and on an interrupt.
int open_stream(const fs::path& path) {
  std::error_code error;
  if (fs::equivalent(path.parent_path(), "/proc/self/fd", error)) {
    return ::fcntl(std::atoi(path.filename().c_str()), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  }
  int descriptor = -1;
  while ((descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0) {
    if (errno != ENXIO || !fs::is_fifo(path, error)) return -1;
    if (interrupted()) {
      errno = EINTR;
      return -1;
    }
    ::usleep(20'000);
  }
  ::fcntl(descriptor, F_SETFL, 0);
  return descriptor;
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "cannot open");
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw IoError(path, "not a regular file");
  }
  size_ = size_t(status.st_size);
  void* address = size_ ? ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0) : nullptr;
  const int reason = errno;
  ::close(descriptor);
  if (address == MAP_FAILED) {
    errno = reason;
    fail(path, "cannot map");
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  const OutputFile output = check_output_file(path);
  target_ = output.path;
  if (output.way != OutputWay::kReplace) return;
  temporary_ = target_.string() + temporary_suffix();
  ::unlink(temporary_.c_str());  // of a killed process that had this number
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path, "cannot create");
  keep_owner_and_mode(target_, descriptor_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (descriptor_ >= 0 && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t size) {
  const std::string_view bytes(static_cast<const char*>(data), size);
  if (temporary_.empty()) {
    held_ += bytes;
  } else {
    write_out(bytes);
  }
}

void AtomicFile::write_out(std::string_view bytes) {
  if (disk_is_declared_full(bytes.size())) {
    errno = ENOSPC;
    fail(path_, "cannot write");
  }
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "cannot write");
    bytes.remove_prefix(size_t(written));
  }
}

void AtomicFile::commit() {
  if (temporary_.empty()) return commit_as_it_stands();
  assert(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) fail(path_, "cannot write to the disk");
  if (::close(std::exchange(descriptor_, -1)) != 0 || ::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    errno = reason;
    fail(path_, "cannot replace");
  }
  sync_folder(target_.parent_path());
}

void AtomicFile::commit_as_it_stands() {
  const bool stream = check_output_file(target_).way == OutputWay::kStream;
  descriptor_ = stream ? open_stream(target_) : ::open(target_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor_ < 0) fail(path_, "cannot open for writing");
  write_out(held_);
  if (!stream && ::fsync(descriptor_) != 0) fail(path_, "cannot write to the disk");
  if (::close(std::exchange(descriptor_, -1)) != 0) fail(path_, "cannot write");
}

std::string read_text(const fs::path& path) {
  const InputFile file(path);
  std::string text(file.bytes(), '\0');
  size_t size = 0;
  while (const size_t count = file.read(text.data() + size, text.size() - size, size)) size += count;
  text.resize(size);
  return text;
}

void write_text_atomically(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::optional<uint64_t> checked_multiply(uint64_t a, uint64_t b) {
  uint64_t result;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t result;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

uint64_t hash_bytes(const void* data, size_t size, uint64_t seed) { return XXH64(data, size, seed); }

uint64_t hash_file(const fs::path& path) {
  const MappedFile file(path);
  return hash_bytes(file.bytes().data(), file.bytes().size());
}

std::string hash_text(uint64_t hash) {
  std::string text(16, '0');
  for (size_t i = text.size(); i-- > 0; hash >>= 4) text[i] = "0123456789abcdef"[hash & 15];
  return text;
}

}  // namespace memlayers::base
