#include "cli/brief_waits.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <utility>

#include "base/crowding.h"

namespace memlayers::cli {
namespace {

constexpr double kLook = 0.1;                        // seconds between two looks
constexpr double kCrowded = 0.15;                    // of a look, kept waiting: a fair share beside a busy loop is half
constexpr double kFirstHold = 2, kLongestHold = 30;  // seconds until spinning is tried again

/// A thread on which no signal is delivered: who waits in the main thread would go on waiting.
template <class Body>
std::thread deaf_thread(Body body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

/// Two threads more than libgomp would manage by itself; they sleep.
class SecondTeam {
 public:
  SecondTeam()
      : thread_(deaf_thread([until = end_.get_future()]() {
#pragma omp parallel num_threads(2)
          { [[maybe_unused]] volatile int nothing = omp_get_thread_num(); }
          until.wait();
        })) {
  }
  ~SecondTeam() {
    end_.set_value();
    thread_.join();
  }
  SecondTeam(const SecondTeam&) = delete;
  SecondTeam& operator=(const SecondTeam&) = delete;

 private:
  std::promise<void> end_;
  std::thread thread_;
};

}  // namespace

BriefWaits::BriefWaits() : watcher_(deaf_thread([this] { watch(); })) {}

BriefWaits::~BriefWaits() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

bool BriefWaits::sleep(double seconds) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return ending_; });
}

void BriefWaits::watch() {
  double hold = kFirstHold;
  for (double before = base::seconds_kept_waiting(); sleep(kLook);) {
    const double now = base::seconds_kept_waiting();
    const bool crowded = now - std::exchange(before, now) > kCrowded * kLook;
    if (!crowded) {
      hold = kFirstHold;
      continue;
    }
    const SecondTeam team;
    if (!sleep(std::exchange(hold, std::min(2 * hold, kLongestHold)))) return;
    before = base::seconds_kept_waiting();
  }
}

}  // namespace memlayers::cli
