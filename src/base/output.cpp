#include "base/output.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/error.h"

namespace memlayers::base {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel

fs::path without_trailing_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// What stands at the end of links; nothing where nothing does. Any other failure is an IoError.
std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw IoError(path, errno == ELOOP ? "symbolic links lead in a circle" : std::strerror(errno));
}

/// Links of /proc/PID/fd name what is open, not a path: opening them works, following them does not.
bool is_link_of_proc(const fs::path& path) {
  struct statfs system = {};
  return ::statfs(parent_of(path).c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

bool is_mount_point(const fs::path& path) {
  struct statx status = {};
  if (::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT, 0, &status) != 0) return false;
  return (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/// Renamed over, the folder that a process runs in would be gone under its feet, and under those of its shell.
bool holds_current_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path outer = fs::canonical(folder, error), inner = fs::current_path(error);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

void check_may_write(const fs::path& path, const fs::path& named) {
  if (::access(path.c_str(), W_OK) != 0)
    throw IoError(named, std::string("cannot be written: ") + std::strerror(errno));
}

/// The nearest folder above `path` that is there.
void check_a_parent_may_be_written(const fs::path& path) {
  fs::path parent = parent_of(path);
  std::optional<struct stat> status;
  while (!(status = status_of(parent)) && parent != parent_of(parent)) parent = parent_of(parent);
  if (!status || !S_ISDIR(status->st_mode)) throw IoError(path, "cannot be made: " + parent.string() + " is no folder");
  check_may_write(parent, path);
}

}  // namespace

fs::path follow_links(const fs::path& named) {
  fs::path path = without_trailing_slash(named);
  std::error_code error;
  for (int links = 0; links < kMaxLinks; ++links) {
    if (path.filename() == "." || path.filename() == "..") {
      const fs::path whole = fs::canonical(path, error);
      return error ? path : whole;
    }
    const fs::path next = fs::read_symlink(path, error);
    if (error || is_link_of_proc(path)) return path;
    path = without_trailing_slash(path.parent_path() / next);  // an absolute `next` takes the place of all before it
  }
  throw IoError(named, "symbolic links lead in a circle");
}

OutputFile check_output_file(const fs::path& path) {
  check(!path.empty(), "an output's name is empty; name a file");
  if (!path.has_filename()) throw IoError(path, "names a folder; name a file");
  const fs::path target = follow_links(path);
  const auto status = status_of(target);
  if (!status) {
    const auto parent = status_of(parent_of(target));
    const std::string where = parent_of(target).string();
    if (!parent) throw IoError(path, "cannot be made: there is no folder " + where);
    if (!S_ISDIR(parent->st_mode)) throw IoError(path, "cannot be made: " + where + " is no folder");
    check_may_write(parent_of(target), path);
    return {target, OutputWay::kReplace};
  }
  const mode_t mode = status->st_mode;
  if (S_ISDIR(mode)) throw IoError(path, "is a folder; name a file");
  if (S_ISBLK(mode) || S_ISSOCK(mode)) {
    throw IoError(path, std::string("is a ") + (S_ISSOCK(mode) ? "socket" : "disk's device") + "; name a file");
  }
  if (!S_ISREG(mode) || is_link_of_proc(target)) {
    check_may_write(target, path);
    return {target, OutputWay::kStream};
  }
  if (!is_mount_point(target) && ::access(parent_of(target).c_str(), W_OK) == 0) return {target, OutputWay::kReplace};
  check_may_write(target, path);
  return {target, OutputWay::kInPlace};
}

OutputFolder check_output_folder(const fs::path& path) {
  check(!path.empty(), "an output's name is empty; name a folder");
  const fs::path target = follow_links(path);
  const auto status = status_of(target);
  if (!status) {
    check_a_parent_may_be_written(target);
    return {target};
  }
  if (!S_ISDIR(status->st_mode)) throw IoError(path, "is there and is no folder; name another one");
  check_may_write(target, path);
  const bool in_place =
      is_mount_point(target) || holds_current_folder(target) || ::access(parent_of(target).c_str(), W_OK) != 0;
  return {target, true, in_place};
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(follow_links(path), error);
  if (error) throw IoError(path, "cannot be made: " + error.message());
}

bool is_left_by_systems(const std::string& name) { return name == "lost+found" || name.starts_with(kTemporarySuffix); }

bool is_empty_output(const fs::path& folder) {
  const fs::directory_iterator entries(folder);
  return std::all_of(fs::begin(entries), fs::end(entries), [](const fs::directory_entry& entry) {
    return is_left_by_systems(entry.path().filename().string());
  });
}

std::string temporary_suffix() { return kTemporarySuffix + std::to_string(::getpid()); }

}  // namespace memlayers::base
