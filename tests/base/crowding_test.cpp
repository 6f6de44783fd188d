// Two threads on one processor keep each other waiting.
#include "base/crowding.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace memlayers::base {
namespace {

TEST(Crowding, ThreadsThatShareAProcessorAreKeptWaiting) {
  cpu_set_t before, only;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&only);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&only) == 0; ++core) {
    if (CPU_ISSET(core, &before)) CPU_SET(core, &only);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof only, &only), 0);
  const double start = seconds_kept_waiting();
  std::atomic<bool> ending{false};
  std::thread rival([&] {
    while (!ending) {}
  });
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < end) {}
  const double waited = seconds_kept_waiting() - start;
  ending = true;
  rival.join();
  sched_setaffinity(0, sizeof before, &before);
  if (waited == 0) GTEST_SKIP() << "this system does not say how long threads wait";
  EXPECT_GT(waited, 0.1);  // one of the two waits at any time
}

}  // namespace
}  // namespace memlayers::base
