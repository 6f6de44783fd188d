// The largest tensor that a piece of code allocates.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <atomic>

namespace memlayers::tests {

/// While it lives, watches every tensor allocated on the CPU.
class AllocationWatch final : public c10::Allocator {
 public:
  AllocationWatch() : inner_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, kPriority); }
  ~AllocationWatch() override { c10::SetCPUAllocator(inner_, kPriority); }

  size_t largest_bytes() const { return largest_; }

  c10::DataPtr allocate(size_t bytes) override {
    size_t seen = largest_;
    while (bytes > seen && !largest_.compare_exchange_weak(seen, bytes)) {}
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* target, const void* source, size_t bytes) const override {
    inner_->copy_data(target, source, bytes);
  }

 private:
  static constexpr uint8_t kPriority = 100;
  c10::Allocator* inner_;
  std::atomic<size_t> largest_{0};
};

}  // namespace memlayers::tests
