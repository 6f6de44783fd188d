#include "bench/op_times.h"

namespace memlayers::bench {

thread_local OpTimes* OpTimes::active_ = nullptr;

OpTimes::OpTimes()
    : handle_(at::addThreadLocalCallback(
          at::RecordFunctionCallback(on_begin, on_end).scopes({at::RecordScope::FUNCTION}))) {
  active_ = this;
}

OpTimes::~OpTimes() {
  at::removeCallback(handle_);
  active_ = nullptr;
}

std::unique_ptr<at::ObserverContext> OpTimes::on_begin(const at::RecordFunction&) {
  if (active_ != nullptr) active_->open_.push_back({Clock::now()});
  return nullptr;
}

void OpTimes::on_end(const at::RecordFunction& function, at::ObserverContext*) {
  if (active_ == nullptr || active_->open_.empty()) return;
  const Open done = active_->open_.back();
  active_->open_.pop_back();
  const double whole = std::chrono::duration<double>(Clock::now() - done.begin).count();
  const std::string name = function.name();
  // One of these for every operation that has a gradient: what is theirs alone is the engine's own work.
  const bool engine = name.starts_with("autograd::engine::");
  active_->seconds_[engine ? "autograd engine" : name] += whole - done.inner;
  if (!active_->open_.empty()) active_->open_.back().inner += whole;
}

}  // namespace memlayers::bench
