#include "base/interrupt.h"

#include <csignal>
#include <mutex>

#include <unistd.h>

namespace memlayers::base {
namespace {

volatile std::sig_atomic_t flag = 0;

void on_signal(int signal) {
  if (flag) _exit(128 + signal);
  flag = 1;
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
