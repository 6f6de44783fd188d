#include "ops/cuda/slot_range.h"

#include "ops/cuda/device.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;

__global__ void find_outside(const int64_t* slots, int64_t count, int64_t num_slots, unsigned long long* found) {
  const int64_t step = grid_blocks() * block_threads();
  for (int64_t i = block_index() * block_threads() + thread_index(); i < count; i += step) {
    if (uint64_t(slots[i]) >= uint64_t(num_slots)) atomicMin(found, static_cast<unsigned long long>(i));
  }
}

__global__ void set_count(int64_t* target, int64_t value) { *target = value; }

}  // namespace

void find_slot_outside(const int64_t* slots, int64_t count, int64_t num_slots, int64_t* found, Stream stream) {
  constexpr int64_t kMostBlocks = 1024;
  launch(set_count, 1, 1, stream, found, count);
  const int64_t blocks = divide_up(count, kThreads);
  launch(find_outside, blocks < kMostBlocks ? blocks : kMostBlocks, kThreads, stream, slots, count, num_slots,
         reinterpret_cast<unsigned long long*>(found));
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
