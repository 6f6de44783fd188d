// Stacks that take turns on one thread of the host: what the emulation runs a CUDA thread on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlayers::ops::emulation {

/// A function in progress on a stack of its own. Stacks are kept for the next start; what a fiber that is started anew
/// had not finished is forgotten without destructors.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes the next resume() begin entry(argument), which must end by calling leave() and never return.
  void start(void (*entry)(void*), void* argument);
  /// Called from the outside: runs the fiber until it calls leave().
  void resume();
  /// Called on the fiber: back to where resume() was called.
  void leave();

 private:
  static constexpr size_t kStackBytes = 64 << 10;

  static void enter();

  unsigned char* stack_;
  void* inside_ = nullptr;   // the fiber's stack pointer while it waits
  void* outside_ = nullptr;  // the caller's while it runs
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // AddressSanitizer must be told of every change of stacks.
  void* fake_inside_ = nullptr;
  void* fake_outside_ = nullptr;
  const void* outside_bottom_ = nullptr;
  size_t outside_bytes_ = 0;
};

}  // namespace memlayers::ops::emulation
