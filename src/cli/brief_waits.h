// How long threads of libgomp spin before they sleep, fitted to the machine while the program runs.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace memlayers::cli {

/// While it lives, threads that wait for each other sleep almost at once as long as other processes want their
/// processors.
///
/// On processors of its own a thread had better spin: waking one takes longer than most operations of a small model.
/// Beside another process it spins in the way: what it burns is taken off its fair share, and then the thread that all
/// others wait for is the one that has to wait. libgomp reads its spin count once, but spins briefly as soon as it
/// manages more threads than there are processors; so a second team of two sleeping threads is opened and closed. Which
/// numbers come out is untouched.
class BriefWaits {
 public:
  BriefWaits();
  ~BriefWaits();
  BriefWaits(const BriefWaits&) = delete;
  BriefWaits& operator=(const BriefWaits&) = delete;

 private:
  void watch();
  /// False when the program ends.
  bool sleep(double seconds);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread watcher_;
};

}  // namespace memlayers::cli
