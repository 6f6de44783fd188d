#include "base/input_file.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/interrupt.h"

namespace memlayers::base {
namespace {

namespace fs = std::filesystem;
using Descriptor = std::shared_ptr<const int>;

Descriptor owned(int descriptor) {
  return {new int(descriptor), [](const int* number) {
            ::close(*number);
            delete number;
          }};
}

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw IoError(path, what + ": " + std::strerror(errno));
}

/// Without waiting: opening a FIFO would wait for its writer, where no signal is heeded.
Descriptor open_at_once(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor >= 0) return owned(descriptor);
  if (path == "-" && errno == ENOENT) throw IoError(path, "there is no such file; standard input is /dev/stdin");
  fail(path, "cannot be read");
}

bool is_endless_device(const struct stat& status, int descriptor) {
  if (S_ISBLK(status.st_mode)) return true;
  return S_ISCHR(status.st_mode) && status.st_rdev != makedev(1, 3) && ::isatty(descriptor) == 0;  // (1, 3): /dev/null
}

/// The next bytes of a pipe; 0 once all writers have closed it.
size_t read_waiting(const fs::path& path, int descriptor, void* out, size_t capacity) {
  constexpr int kMilliseconds = 200;  // a signal between asking and waiting is heeded after that
  for (;;) {
    if (interrupted()) throw Error(path.string() + ": interrupted while waiting for its bytes");
    pollfd waiting = {descriptor, POLLIN, 0};
    if (::poll(&waiting, 1, kMilliseconds) <= 0 || waiting.revents == 0) continue;
    const ssize_t count = ::read(descriptor, out, capacity);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EAGAIN && errno != EINTR) fail(path, "cannot be read");
  }
}

Descriptor nameless_file(const fs::path& path) {
  const char* const wished = std::getenv("TMPDIR");
  const fs::path folder = wished != nullptr && *wished != '\0' ? wished : "/tmp";
  std::string name = (folder / "memlayers-input-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) fail(path, "can be read only once and not be copied to " + folder.string());
  ::unlink(name.c_str());
  return owned(descriptor);
}

Descriptor copy_of_pipe(const fs::path& path, int pipe) {
  Descriptor copy = nameless_file(path);
  std::array<char, size_t{1} << 16> block;
  while (const size_t count = read_waiting(path, pipe, block.data(), block.size())) {
    for (size_t done = 0; done < count;) {
      const ssize_t written = ::write(*copy, block.data() + done, count - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path, "can be read only once and its copy not be written (TMPDIR names another folder)");
      done += static_cast<size_t>(written);
    }
  }
  return copy;
}

/// The copy of a pipe, which is made when it is named first.
Descriptor shared_copy(const fs::path& path, const struct stat& status, int pipe) {
  static std::mutex mutex;
  static std::map<std::pair<dev_t, ino_t>, Descriptor> copies;
  const std::scoped_lock lock(mutex);
  Descriptor& copy = copies[{status.st_dev, status.st_ino}];
  if (!copy) copy = copy_of_pipe(path, pipe);
  return copy;
}

}  // namespace

InputFile::InputFile(const fs::path& path) : path_(path), descriptor_(open_at_once(path)) {
  struct stat status = {};
  if (::fstat(*descriptor_, &status) != 0) fail(path, "cannot be read");
  if (S_ISREG(status.st_mode)) return;
  if (S_ISDIR(status.st_mode)) throw IoError(path, "is a folder, expected a file");
  if (is_endless_device(status, *descriptor_)) throw IoError(path, "is a device, expected a file or a pipe");
  descriptor_ = shared_copy(path, status, *descriptor_);
}

size_t InputFile::read(void* out, size_t capacity, uint64_t offset) const {
  for (;;) {
    const ssize_t count = ::pread(*descriptor_, out, capacity, static_cast<off_t>(offset));
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) fail(path_, "cannot be read");
  }
}

uint64_t InputFile::bytes() const {
  struct stat status = {};
  return ::fstat(*descriptor_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

bool is_read_once(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

}  // namespace memlayers::base
