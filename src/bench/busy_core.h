// A busy loop beside what is measured, as a laptop's browser is.
#pragma once

#include <sys/types.h>

namespace memlayers::bench {

/// While it lives, a process of its own keeps one processor busy. It ends with this process, and after ten minutes at
/// the latest.
class BusyCore {
 public:
  /// Throws base::Error where no process can be started.
  BusyCore();
  ~BusyCore();
  BusyCore(const BusyCore&) = delete;
  BusyCore& operator=(const BusyCore&) = delete;

  int core() const { return core_; }
  pid_t process() const { return process_; }

 private:
  int core_ = 0;
  pid_t process_ = -1;
};

}  // namespace memlayers::bench
