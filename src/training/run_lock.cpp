#include "training/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace memlayers::training {

RunLock::RunLock(const std::filesystem::path& run) {
  const std::filesystem::path path = run / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw base::IoError(path, std::string("cannot be made: ") + std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw base::UsageError(base::concat("another process is training in ", run.string(),
                                      ": wait for it, stop it, or choose another output=FOLDER"));
}

RunLock::~RunLock() { ::close(descriptor_); }

}  // namespace memlayers::training
