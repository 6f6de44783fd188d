#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_sync.h"
#include "base/output.h"

namespace memlayers::base {
namespace {

void sync_file(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) throw IoError(path, std::string("cannot write to the disk: ") + std::strerror(reason));
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw IoError(to, "cannot replace: " + error.message());
}

void sync_all(const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) sync_file(entry.path());
    if (entry.is_directory()) sync_folder(entry.path());
  }
  sync_folder(folder);
}

void keep_owner_and_mode(const fs::path& old, const fs::path& fresh) {
  struct stat status = {};
  if (::stat(old.c_str(), &status) != 0) return;
  [[maybe_unused]] const int given = ::chown(fresh.c_str(), status.st_uid, status.st_gid);  // only root may
  ::chmod(fresh.c_str(), status.st_mode & 07777);
}

/// What `folder` holds, `last` at the end. What file systems put there, and what is being written, is left out.
std::vector<fs::path> entries(const fs::path& folder, const std::string& last) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!is_left_by_systems(entry.path().filename().string())) found.push_back(entry.path());
  }
  std::stable_partition(found.begin(), found.end(), [&](const fs::path& path) { return path.filename() != last; });
  return found;
}

/// Takes everything out of `target` and moves what `temporary` holds into it. No reader takes a part for the whole,
/// since `last` is away until all else is there.
void refill(const fs::path& target, const fs::path& temporary, const std::string& last) {
  std::error_code error;
  std::vector<fs::path> old = entries(target, last);
  std::reverse(old.begin(), old.end());
  for (const fs::path& path : old) {
    fs::remove_all(path, error);
    if (error) throw IoError(path, "cannot be deleted: " + error.message());
    if (path.filename() == last) sync_folder(target);
  }
  for (const fs::path& path : entries(temporary, last)) {
    if (path.filename() == last) sync_folder(target);
    rename_folder(path, target / path.filename());
  }
  sync_folder(target);
}

void replace_folder(const fs::path& target, const fs::path& temporary) {
  std::error_code error;
  const fs::path old = target.string() + ".old-" + std::to_string(::getpid());
  const bool replaces = fs::exists(target);
  if (replaces) keep_owner_and_mode(target, temporary);
  // One system call, so that a process killed at any moment leaves one whole folder under the name.
  if (replaces && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    sync_folder(target.parent_path());
    return;  // the temporary name is the old folder's now
  }
  // File systems that cannot exchange: the old folder steps aside, and comes back if the new one fails to land.
  if (replaces) rename_folder(target, old);
  try {
    rename_folder(temporary, target);
  } catch (...) {
    if (replaces) fs::rename(old, target, error);
    throw;
  }
  fs::remove_all(old, error);
  sync_folder(target.parent_path());
}

}  // namespace

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

void write_folder_atomically(const fs::path& path, const std::function<void(const fs::path&)>& fill,
                             const std::string& last) {
  const OutputFolder output = check_output_folder(path);
  const fs::path temporary =
      output.in_place ? output.path / temporary_suffix() : fs::path(output.path.string() + temporary_suffix());
  std::error_code error, ignored;
  fs::remove_all(temporary, ignored);
  fs::create_directories(temporary, error);
  if (error) throw IoError(path, "cannot create: " + error.message());
  try {
    fill(temporary);
    sync_all(temporary);
    if (output.in_place) {
      refill(output.path, temporary, last);
    } else {
      replace_folder(output.path, temporary);
    }
  } catch (...) {
    fs::remove_all(temporary, ignored);
    throw;
  }
  fs::remove_all(temporary, ignored);
}

}  // namespace memlayers::base
