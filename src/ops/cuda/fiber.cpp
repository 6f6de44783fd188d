#include "ops/cuda/fiber.h"

#include <sys/mman.h>

#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "the emulation of CUDA changes stacks in x86-64 assembly, as libtorch is pinned for that processor"
#endif

// Registers that a call must keep go onto the old stack; its pointer to *old_stack (rdi); then the same from the new
// stack (rsi). ucontext would do, with two system calls a change.
asm(R"(
  .text
  .type memlayers_change_stack, @function
memlayers_change_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size memlayers_change_stack, .-memlayers_change_stack
)");
extern "C" void memlayers_change_stack(void** old_stack, void* new_stack);

namespace memlayers::ops::emulation {
namespace {

constexpr size_t kGuardBytes = 4096;
constexpr size_t kSavedRegisters = 6;
Fiber* starting = nullptr;

#if defined(__SANITIZE_ADDRESS__)
void announce(void** fake, const void* bottom, size_t bytes) { __sanitizer_start_switch_fiber(fake, bottom, bytes); }
void arrive(void* fake, const void** bottom, size_t* bytes) { __sanitizer_finish_switch_fiber(fake, bottom, bytes); }
/// An abandoned fiber leaves its frames' marks behind.
void forget_frames(const void* stack, size_t bytes) { __asan_unpoison_memory_region(stack, bytes); }
#else
void forget_frames(const void*, size_t) {}
void announce(void**, const void*, size_t) {}
void arrive(void*, const void**, size_t*) {}
#endif

}  // namespace

Fiber::Fiber() {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);  // running over the stack's end is a fault, not another thread's data
  stack_ = static_cast<unsigned char*>(memory) + kGuardBytes;
}

Fiber::~Fiber() { munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes); }

void Fiber::start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  forget_frames(stack_, kStackBytes);
  // As if enter() had been called from nowhere and had changed stacks at its first instruction.
  void** top = reinterpret_cast<void**>(stack_ + kStackBytes);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&Fiber::enter);
  for (size_t i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  inside_ = top;
  fake_inside_ = nullptr;
}

void Fiber::enter() {
  Fiber* self = starting;
  arrive(nullptr, &self->outside_bottom_, &self->outside_bytes_);
  self->entry_(self->argument_);
  __builtin_unreachable();
}

void Fiber::resume() {
  starting = this;
  announce(&fake_outside_, stack_, kStackBytes);
  memlayers_change_stack(&outside_, inside_);
  arrive(fake_outside_, nullptr, nullptr);
}

void Fiber::leave() {
  announce(&fake_inside_, outside_bottom_, outside_bytes_);
  memlayers_change_stack(&inside_, outside_);
  arrive(fake_inside_, &outside_bottom_, &outside_bytes_);
}

}  // namespace memlayers::ops::emulation
