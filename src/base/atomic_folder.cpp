#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_sync.h"

namespace memlayers::base {
namespace {

void sync_file(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) throw IoError(path, std::string("cannot write to the disk: ") + std::strerror(reason));
}

fs::path without_trailing_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw IoError(to, "cannot replace: " + error.message());
}

}  // namespace

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

void write_folder_atomically(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  const fs::path target = without_trailing_slash(path);
  const std::string suffix = "-" + std::to_string(::getpid());
  const fs::path temporary = target.string() + ".tmp" + suffix;
  const fs::path old = target.string() + ".old" + suffix;
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  if (error) throw IoError(target, "cannot create: " + error.message());
  try {
    fill(temporary);
    for (const auto& entry : fs::recursive_directory_iterator(temporary)) {
      if (entry.is_regular_file()) sync_file(entry.path());
      if (entry.is_directory()) sync_folder(entry.path());
    }
    sync_folder(temporary);
    const bool replaces = fs::exists(target);
    // One system call, so that a process killed at any moment leaves one whole folder under the name.
    if (replaces && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
      sync_folder(target.parent_path());
      fs::remove_all(temporary, error);
      return;
    }
    // File systems that cannot exchange: the old folder steps aside, and comes back if the new one fails to land.
    if (replaces) rename_folder(target, old);
    try {
      rename_folder(temporary, target);
    } catch (...) {
      if (replaces) fs::rename(old, target, error);
      throw;
    }
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
  fs::remove_all(old, error);
  sync_folder(target.parent_path());
}

}  // namespace memlayers::base
