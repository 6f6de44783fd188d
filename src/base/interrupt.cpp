#include "base/interrupt.h"

#include <csignal>
#include <mutex>

#include <unistd.h>

namespace memlayers::base {
namespace {

volatile std::sig_atomic_t flag = 0;

volatile std::sig_atomic_t first_second = 0;

// One stop often arrives twice at once: timeout(1) signals its child and then the child's group. Only a signal that
// comes later is a second wish.
void on_signal(int signal) {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!flag) {
    flag = 1;
    first_second = std::sig_atomic_t(now.tv_sec);
    constexpr char kNotice[] = "\nstopping: what is done is saved first; a second signal ends at once\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kNotice, sizeof kNotice - 1);
  } else if (std::sig_atomic_t(now.tv_sec) - first_second >= 2) {
    _exit(128 + signal);
  }
}

}  // namespace

void watch_for_interrupt() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;  // a read or write under way is finished, not failed
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
  });
}

bool interrupted() { return flag != 0; }
void set_interrupted(bool value) { flag = value; }

}  // namespace memlayers::base
