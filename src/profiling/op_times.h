// Time spent in each of torch's operations and ours, and the least they had to do, through the dispatcher's own
// observer.
#pragma once

#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "profiling/op_rules.h"

namespace memlayers::profiling {

struct OpTime {
  const OpRule* rule = nullptr;
  double seconds = 0;
  std::vector<OpWork> calls;  // of those whose rule says what they must do
};

/// While it lives, notes every operation that this thread dispatches. One at a time.
///
/// An operation whose work is known includes all that it calls, since its work does too. Others are listed by
/// themselves, without what they call. Where autograd dispatches an operation again below itself, the inner call is the
/// one whose work counts.
class OpTimes {
 public:
  OpTimes();
  ~OpTimes();
  OpTimes(const OpTimes&) = delete;
  OpTimes& operator=(const OpTimes&) = delete;

  const std::map<std::string, OpTime>& ops() const { return ops_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Open {
    Clock::time_point begin;
    std::string name;
    const OpRule* rule;
    bool part = false;                    // of an open operation whose work is known
    bool again = false;                   // dispatched once more below itself
    double inner = 0;                     // seconds of the operations it called, but for its parts
    std::vector<at::IValue> inputs = {};  // where they tell its work; torch shows them at the beginning only
  };
  static std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction& function);
  static void on_end(const at::RecordFunction& function, at::ObserverContext*);
  void begin(const at::RecordFunction& function);
  void end(const at::RecordFunction& function);

  static thread_local OpTimes* active_;
  at::CallbackHandle handle_;
  std::vector<Open> open_;
  std::map<std::string, OpTime> ops_;
};

}  // namespace memlayers::profiling
