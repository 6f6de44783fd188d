// One process at a time trains in a run's folder.
#pragma once

#include <filesystem>

namespace memlayers::training {

/// Holds RUN/.lock (flock) for its lifetime; the system lets go of it when the process ends, however it ends.
class RunLock {
 public:
  /// `run` must exist. Throws UsageError when another process holds the lock, IoError when the file cannot be made. On
  /// file systems without locks nothing is held.
  explicit RunLock(const std::filesystem::path& run);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace memlayers::training
