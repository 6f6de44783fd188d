#include "bench/busy_core.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"

namespace memlayers::bench {
namespace {

constexpr unsigned kLongestSeconds = 600;

/// After a fork of a process with threads: system calls only.
[[noreturn]] void stay_busy(pid_t parent, int core) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // it ended before it could be watched
  std::signal(SIGALRM, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  alarm(kLongestSeconds);
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  sched_setaffinity(0, sizeof only, &only);
  for (volatile unsigned turns = 0;;) turns = turns + 1;
}

int first_core() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  int core = 0;
  while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &allowed)) ++core;
  return core;
}

}  // namespace

BusyCore::BusyCore() : core_(first_core()) {
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) stay_busy(parent, core_);
  if (process_ < 0)
    throw base::Error(base::concat("the load beside the benchmark could not start: ", std::strerror(errno)));
}

BusyCore::~BusyCore() {
  kill(process_, SIGKILL);
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
}

}  // namespace memlayers::bench
