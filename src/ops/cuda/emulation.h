// CUDA's words on the host, to prove kernels where there is no GPU.
//
// Blocks run one after another. The threads of a block take turns on one thread of the host: each runs until it has to
// wait for others (a barrier, a shuffle, a vote) or ends. So results are repeatable, and what would be undefined on a
// device is an EmulationError here, with block, thread and place:
//   - two threads touch one element of a shared array, one of them writes, and no barrier stands between them
//   - a shared element is read before anybody wrote it, or does not exist
//   - lanes meet at different shuffles or with different masks, a mask names a lane that has ended or leaves out one
//     that is there, a shuffle reads a lane outside the mask
//   - threads wait at different __syncthreads, or some have ended before it; nobody can go on
//   - a wide load is not aligned
// What it cannot see: conflicts in global memory between threads or blocks (MEMLAYERS_EMULATION_ORDER=reverse runs both
// backwards, so results that depend on the order change), and speed. AddressSanitizer sees global bounds.
// Only .cu files include this, through ops/cuda/device.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "ops/cuda/emulated_graph.h"

namespace memlayers::ops::emulation {

using Where = std::source_location;

class EmulationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Where a kernel is.

int thread_index();
int block_threads();
int64_t block_index();
int64_t grid_blocks();

/// Runs `body` once for every thread of every block.
void run(int64_t blocks, int threads, const std::function<void()>& body);

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), int64_t blocks, int threads, void* /*stream*/, Arguments... arguments) {
  enqueue([=] { run(blocks, threads, [&] { kernel(Parameters(arguments)...); }); });
}

/// Blocks started by this process so far; tests ask whether kernels ran at all.
int64_t blocks_run();

/// Throws an EmulationError that names block and thread, and the place where there is one.
[[noreturn]] void fail(const std::string& what, const Where* where = nullptr);

// Shared memory.

enum class Access { kRead, kWrite, kAtomic };

/// Who touched an element of a shared array last.
struct SharedCell {
  struct Group {               // threads that touched it since the block's last barrier
    uint32_t block_epoch = 0;  // barriers that the block had passed; 0: nobody
    uint32_t warp_epoch = 0;   // the same of the warp
    int16_t warp = 0;          // -1: of several warps
    int16_t lane = 0;          // -1: several lanes
  };
  Group written, read;
  bool atomically = false;
};

/// Throws where this access and an earlier one have no order.
void note_access(SharedCell& cell, Access access, const char* array, int64_t index);
/// Memory of the block under a name: the same for all its threads.
void* find_shared(const char* name, size_t elements, size_t element_bytes, SharedCell** cells);

template <class T>
class SharedElement {
 public:
  SharedElement(T* data, SharedCell* cell, const char* array, int64_t index)
      : data_(data), cell_(cell), array_(array), index_(index) {}
  SharedElement(const SharedElement&) = default;

  operator T() const { return get(); }
  T get() const {
    note_access(*cell_, Access::kRead, array_, index_);
    return *data_;
  }
  const SharedElement& operator=(T value) const {
    note_access(*cell_, Access::kWrite, array_, index_);
    *data_ = value;
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const { return *this = other.get(); }
  const SharedElement& operator+=(T value) const { return *this = T(get() + value); }
  T add_atomically(T value) const {
    note_access(*cell_, Access::kAtomic, array_, index_);
    const T before = *data_;
    *data_ = T(before + value);
    return before;
  }
  /// Stands for its address, as CUDA's atomics take one.
  const SharedElement* operator&() const { return this; }

 private:
  T* data_;
  SharedCell* cell_;
  const char* array_;
  int64_t index_;
};

/// A shared array, or the rest of one from some element on.
template <class T>
class Shared {
 public:
  Shared() = default;
  Shared(T* data, SharedCell* cells, const char* name, int64_t size)
      : data_(data), cells_(cells), name_(name), size_(size) {}

  SharedElement<T> operator[](int64_t index) const {
    if (index < 0 || index >= size_) {
      fail("shared array " + std::string(name_) + " has no element " + std::to_string(index) + " (" +
           std::to_string(size_) + " from here on)");
    }
    return {data_ + index, cells_ + index, name_, index};
  }
  Shared operator+(int64_t offset) const { return {data_ + offset, cells_ + offset, name_, size_ - offset}; }

 private:
  T* data_ = nullptr;
  SharedCell* cells_ = nullptr;
  const char* name_ = "";
  int64_t size_ = 0;
};

template <class T>
Shared<T> shared(size_t elements, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  SharedCell* cells = nullptr;
  T* data = static_cast<T*>(find_shared(name, elements, sizeof(T), &cells));
  return {data, cells, name, int64_t(elements)};
}

// Meeting other threads.

enum class Meeting { kShuffle, kBallot, kAny, kAll, kMax, kMin, kAdd, kMatch, kWarpBarrier };

/// A lane's part in a meeting of its warp: its bits, for a shuffle the lane it reads from (itself if out of range).
/// Returns what the meeting gives this lane.
uint64_t meet(Meeting kind, uint32_t mask, uint64_t bits, int source, const Where& where);
void block_barrier(const Where& where);
int current_lane();

template <class T>
T shuffle_from(uint32_t mask, T value, int source, const Where& where) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = meet(Meeting::kShuffle, mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class Bits>
Bits load_bits(const void* source, const Where& where = Where::current()) {
  if (reinterpret_cast<uintptr_t>(source) % alignof(Bits) != 0) fail("a wide load is not aligned", &where);
  Bits bits;
  std::memcpy(&bits, source, sizeof(bits));
  return bits;
}

}  // namespace memlayers::ops::emulation

// CUDA's names. As there, they are global.

struct alignas(16) int4 {
  int x, y, z, w;
};

inline void __syncthreads(const std::source_location& where = std::source_location::current()) {
  memlayers::ops::emulation::block_barrier(where);
}
inline void __syncwarp(uint32_t mask = 0xFFFFFFFF,
                       const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  meet(Meeting::kWarpBarrier, mask, 0, 0, where);
}
template <class T>
T __shfl_sync(uint32_t mask, T value, int source, int width = 32,
              const std::source_location& where = std::source_location::current()) {
  const int lane = memlayers::ops::emulation::current_lane();
  return memlayers::ops::emulation::shuffle_from(mask, value, lane / width * width + source % width, where);
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, int distance, int width = 32,
                 const std::source_location& where = std::source_location::current()) {
  const int lane = memlayers::ops::emulation::current_lane();
  const int source = lane % width >= distance ? lane - distance : lane;
  return memlayers::ops::emulation::shuffle_from(mask, value, source, where);
}
template <class T>
T __shfl_down_sync(uint32_t mask, T value, int distance, int width = 32,
                   const std::source_location& where = std::source_location::current()) {
  const int lane = memlayers::ops::emulation::current_lane();
  const int source = lane % width + distance < width ? lane + distance : lane;
  return memlayers::ops::emulation::shuffle_from(mask, value, source, where);
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = 32,
                  const std::source_location& where = std::source_location::current()) {
  const int lane = memlayers::ops::emulation::current_lane();
  const int source = (lane % width ^ bits) < width ? lane ^ bits : lane;
  return memlayers::ops::emulation::shuffle_from(mask, value, source, where);
}
inline uint32_t __ballot_sync(uint32_t mask, bool predicate,
                              const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return uint32_t(meet(Meeting::kBallot, mask, predicate, 0, where));
}
inline int __any_sync(uint32_t mask, bool predicate,
                      const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return int(meet(Meeting::kAny, mask, predicate, 0, where));
}
inline int __all_sync(uint32_t mask, bool predicate,
                      const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return int(meet(Meeting::kAll, mask, predicate, 0, where));
}
inline uint32_t __reduce_max_sync(uint32_t mask, uint32_t value,
                                  const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return uint32_t(meet(Meeting::kMax, mask, value, 0, where));
}
inline uint32_t __reduce_min_sync(uint32_t mask, uint32_t value,
                                  const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return uint32_t(meet(Meeting::kMin, mask, value, 0, where));
}
inline uint32_t __reduce_add_sync(uint32_t mask, uint32_t value,
                                  const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return uint32_t(meet(Meeting::kAdd, mask, value, 0, where));
}
inline uint32_t __match_any_sync(uint32_t mask, uint32_t value,
                                 const std::source_location& where = std::source_location::current()) {
  using namespace memlayers::ops::emulation;
  return uint32_t(meet(Meeting::kMatch, mask, value, 0, where));
}

template <class T>
T __ldg(const T* source) {
  return *source;
}

// Integer atomics only: sums of floats would depend on the order.
template <class T>
T atomicAdd(const memlayers::ops::emulation::SharedElement<T>* element, T value) {
  static_assert(std::is_integral_v<T>);
  return element->add_atomically(value);
}
template <class T>
T atomicExch(T* target, T value) {
  static_assert(std::is_integral_v<T>);
  return std::exchange(*target, value);
}
template <class T>
T atomicMax(T* target, T value) {
  static_assert(std::is_integral_v<T>);
  const T before = *target;
  *target = std::max(before, value);
  return before;
}
template <class T>
T atomicMin(T* target, T value) {
  static_assert(std::is_integral_v<T>);
  const T before = *target;
  *target = std::min(before, value);
  return before;
}

inline uint32_t __float_as_uint(float value) { return std::bit_cast<uint32_t>(value); }
inline float __uint_as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline int __popc(uint32_t bits) { return std::popcount(bits); }
inline int __ffs(int bits) { return bits == 0 ? 0 : std::countr_zero(uint32_t(bits)) + 1; }
