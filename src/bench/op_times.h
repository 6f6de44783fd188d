// Time spent in each of torch's operations and ours, through the dispatcher's own observer.
#pragma once

#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace memlayers::bench {

/// While it lives, notes every operation that this thread dispatches. One at a time.
class OpTimes {
 public:
  OpTimes();
  ~OpTimes();
  OpTimes(const OpTimes&) = delete;
  OpTimes& operator=(const OpTimes&) = delete;

  /// Name -> seconds in that operation itself, without those it called.
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Open {
    Clock::time_point begin;
    double inner = 0;  // seconds of the operations it called
  };
  static std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction&);
  static void on_end(const at::RecordFunction& function, at::ObserverContext*);

  static thread_local OpTimes* active_;
  at::CallbackHandle handle_;
  std::vector<Open> open_;
  std::map<std::string, double> seconds_;
};

}  // namespace memlayers::bench
