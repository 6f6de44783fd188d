#include "profiling/op_times.h"

#include <ATen/ATen.h>

namespace memlayers::profiling {
namespace {

/// What is no operation of the dispatcher is a node of the backward graph or the engine's own frame around it: there is
/// one for every operation that has a gradient.
std::string listed_name(const at::RecordFunction& function) {
  const std::string name = function.name();
  return name.starts_with("aten::") || name.starts_with("memlayers::") ? name : "autograd engine";
}

}  // namespace

thread_local OpTimes* OpTimes::active_ = nullptr;

OpTimes::OpTimes()
    : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(on_begin, on_end)
                                             .needsInputs(true)
                                             .needsOutputs(true)
                                             .scopes({at::RecordScope::FUNCTION}))) {
  active_ = this;
}

OpTimes::~OpTimes() {
  at::removeCallback(handle_);
  active_ = nullptr;
}

std::unique_ptr<at::ObserverContext> OpTimes::on_begin(const at::RecordFunction& function) {
  if (active_ != nullptr) active_->begin(function);
  return nullptr;
}

void OpTimes::on_end(const at::RecordFunction& function, at::ObserverContext*) {
  if (active_ != nullptr && !active_->open_.empty()) active_->end(function);
}

void OpTimes::begin(const at::RecordFunction& function) {
  Open opened{{}, listed_name(function), nullptr};
  opened.rule = &rule_of(opened.name);
  if (!open_.empty()) {
    Open& caller = open_.back();
    caller.again = caller.again || caller.name == opened.name;
    opened.part = caller.part || (caller.rule->work != nullptr && caller.name != opened.name);
  }
  if (opened.rule->work != nullptr && !opened.part) {
    opened.inputs.assign(function.inputs().begin(), function.inputs().end());
  }
  open_.push_back(std::move(opened));
  open_.back().begin = Clock::now();
}

void OpTimes::end(const at::RecordFunction& function) {
  const double whole = std::chrono::duration<double>(Clock::now() - open_.back().begin).count();
  const Open done = std::move(open_.back());
  open_.pop_back();
  if (done.part) return;
  OpTime& op = ops_[done.name];
  op.rule = done.rule;
  op.seconds += whole - done.inner;
  if (done.rule->work != nullptr && !done.again) {
    op.calls.push_back(done.rule->work({done.inputs, function.outputs()}));
  }
  if (!open_.empty()) open_.back().inner += whole;
}

}  // namespace memlayers::profiling
