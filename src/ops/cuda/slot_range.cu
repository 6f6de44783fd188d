#include "ops/cuda/slot_range.h"

#include "ops/cuda/device.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kMostBlocks = 1024;

/// The largest slot that was replaced since the note was taken. One a device, and there before any graph is recorded: a
/// tensor made while one is belongs to that graph.
__device__ unsigned long long the_note;

__global__ void begin_findings(SlotFindings* findings, int64_t place) {
  // Taken and cleared at once: a graph that is replayed on another stream may write it meanwhile.
  *findings = {place, atomicExch(&the_note, 0ULL)};
}

__global__ void find_outside(const int64_t* slots, int64_t count, int64_t num_slots, unsigned long long* found) {
  const int64_t step = grid_blocks() * block_threads();
  for (int64_t i = block_index() * block_threads() + thread_index(); i < count; i += step) {
    if (uint64_t(slots[i]) >= uint64_t(num_slots)) atomicMin(found, static_cast<unsigned long long>(i));
  }
}

__global__ void replace_outside(const int64_t* __restrict__ slots, int64_t count, int64_t num_slots,
                                int64_t* __restrict__ inside) {
  const int64_t step = grid_blocks() * block_threads();
  for (int64_t i = block_index() * block_threads() + thread_index(); i < count; i += step) {
    const int64_t slot = slots[i];
    const bool is_inside = uint64_t(slot) < uint64_t(num_slots);
    inside[i] = is_inside ? slot : 0;
    if (!is_inside) atomicMax(&the_note, static_cast<unsigned long long>(slot));
  }
}

int64_t blocks_for(int64_t count) {
  const int64_t blocks = divide_up(count, kThreads);
  return blocks < kMostBlocks ? blocks : kMostBlocks;
}

}  // namespace

void find_slot_outside(const int64_t* slots, int64_t count, int64_t num_slots, SlotFindings* findings, Stream stream) {
  launch(begin_findings, 1, 1, stream, findings, count);
  launch(find_outside, blocks_for(count), kThreads, stream, slots, count, num_slots,
         reinterpret_cast<unsigned long long*>(&findings->place));
}

void take_note(SlotFindings* findings, Stream stream) { launch(begin_findings, 1, 1, stream, findings, int64_t{0}); }

void replace_slots_outside(const int64_t* slots, int64_t count, int64_t num_slots, int64_t* inside, Stream stream) {
  launch(replace_outside, blocks_for(count), kThreads, stream, slots, count, num_slots, inside);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
