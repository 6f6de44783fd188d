// Each pass sorts by eight bits of the slot: blocks count their digits, one warp a digit sums the counts of the blocks,
// and blocks write their keys to their places. Within a block, a warp has consecutive keys and gives them places in
// order:
// lanes with the same digit find each other, the lowest moves the warp's count on.
#include "ops/cuda/radix_sort.h"

#include "ops/cuda/device.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
constexpr int kPerThread = kSortTile / kThreads;
constexpr int kPerWarp = kSortTile / kWarps;
static_assert(kThreads == kDigits);

__device__ __forceinline__ uint32_t slot_of(uint64_t key) { return uint32_t(key >> 32); }
__device__ __forceinline__ int digit_of(uint64_t key, int shift) { return int(slot_of(key) >> shift & (kDigits - 1)); }

__global__ void __launch_bounds__(kThreads)
    count_digits(const uint64_t* __restrict__ keys, int64_t count, int shift, uint32_t* counts) {
  MEMLAYERS_SHARED(uint32_t, seen, kDigits);
  seen[thread_index()] = 0;
  __syncthreads();
  for (int i = 0; i < kPerThread; ++i) {
    const int64_t place = block_index() * kSortTile + i * kThreads + thread_index();
    if (place < count) atomicAdd(&seen[digit_of(keys[place], shift)], 1u);
  }
  __syncthreads();
  counts[thread_index() * grid_blocks() + block_index()] = seen[thread_index()];
}

/// One warp a row of counts: each becomes the sum of those before it, and totals[row] the sum of all.
__global__ void sum_counts(uint32_t* counts, int64_t length, uint32_t* totals) {
  uint32_t before = 0;
  for (int64_t begin = 0; begin < length; begin += kWarp) {
    const int64_t i = begin + lane_index();
    uint32_t* mine = counts + block_index() * length + i;
    const uint32_t value = i < length ? *mine : 0;
    uint32_t sum = value;
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const uint32_t other = __shfl_up_sync(kFullMask, sum, distance);
      if (lane_index() >= distance) sum += other;
    }
    if (i < length) *mine = before + sum - value;
    before += __shfl_sync(kFullMask, sum, kWarp - 1);
  }
  if (lane_index() == 0) totals[block_index()] = before;
}

/// The sum of `value` over the threads before this one; all threads of a block of kThreads take part. `scratch`
/// [kWarps].
__device__ __forceinline__ uint32_t sum_before(uint32_t value, SharedPointer<uint32_t> scratch, uint32_t& total) {
  uint32_t sum = value;
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const uint32_t other = __shfl_up_sync(kFullMask, sum, distance);
    if (lane_index() >= distance) sum += other;
  }
  __syncthreads();
  if (lane_index() == kWarp - 1) scratch[warp_index()] = sum;
  __syncthreads();
  uint32_t before = sum - value;
  total = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp_index()) before += scratch[w];
    total += scratch[w];
  }
  return before;
}

__global__ void __launch_bounds__(kThreads)
    scatter(const uint64_t* __restrict__ keys, uint64_t* __restrict__ target, int64_t count, int shift,
            const uint32_t* __restrict__ counts, const uint32_t* __restrict__ totals) {
  MEMLAYERS_SHARED(uint32_t, scratch, kWarps);
  MEMLAYERS_SHARED(uint32_t, next, kWarps * kDigits);  // [warp, digit]: keys so far, then the place of the first
  const int digit = thread_index();                    // this thread's, where threads stand for digits
  for (int w = 0; w < kWarps; ++w) next[w * kDigits + digit] = 0;
  uint32_t all = 0;
  const uint32_t smaller = sum_before(totals[digit], scratch, all);  // its barriers also follow the zeros
  const SharedPointer<uint32_t> warp_next = next + warp_index() * kDigits;
  const int64_t begin = block_index() * kSortTile + warp_index() * kPerWarp + lane_index();
  uint64_t key[kPerThread];
  uint32_t rank[kPerThread];
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const bool exists = begin + i * kWarp < count;
    key[i] = exists ? keys[begin + i * kWarp] : 0;
    const uint32_t peers = __match_any_sync(kFullMask, exists ? uint32_t(digit_of(key[i], shift)) : uint32_t(kDigits));
    const int leader = __ffs(int(peers)) - 1;
    uint32_t before = 0;
    if (exists && lane_index() == leader) {
      before = warp_next[digit_of(key[i], shift)];
      warp_next[digit_of(key[i], shift)] = before + uint32_t(__popc(peers));
    }
    rank[i] = __shfl_sync(kFullMask, before, leader) + uint32_t(__popc(peers & ((1u << lane_index()) - 1)));
    __syncwarp();
  }
  __syncthreads();
  uint32_t place = smaller + counts[digit * grid_blocks() + block_index()];
  for (int w = 0; w < kWarps; ++w) {
    const uint32_t here = next[w * kDigits + digit];
    next[w * kDigits + digit] = place;
    place += here;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    if (begin + i * kWarp < count) target[warp_next[digit_of(key[i], shift)] + rank[i]] = key[i];
  }
}

__device__ __forceinline__ bool begins_run(const uint64_t* sorted, int64_t place, int64_t count) {
  return place < count && (place == 0 || slot_of(sorted[place]) != slot_of(sorted[place - 1]));
}

__global__ void __launch_bounds__(kThreads)
    count_run_begins(const uint64_t* __restrict__ sorted, int64_t count, uint32_t* counts) {
  MEMLAYERS_SHARED(uint32_t, scratch, kWarps);
  uint32_t mine = 0, total = 0;
  for (int i = 0; i < kPerThread; ++i) {
    mine += begins_run(sorted, block_index() * kSortTile + i * kThreads + thread_index(), count) ? 1 : 0;
  }
  sum_before(mine, scratch, total);
  if (thread_index() == 0) counts[block_index()] = total;
}

__global__ void __launch_bounds__(kThreads)
    write_run_begins(const uint64_t* __restrict__ sorted, int64_t count, const uint32_t* __restrict__ counts,
                     int64_t num_runs, int64_t* slots, int64_t* begins) {
  MEMLAYERS_SHARED(uint32_t, scratch, kWarps);
  int64_t run = counts[block_index()];
  for (int i = 0; i < kPerThread; ++i) {
    const int64_t place = block_index() * kSortTile + i * kThreads + thread_index();
    const bool begins_here = begins_run(sorted, place, count);
    uint32_t total = 0;
    const int64_t mine = run + sum_before(begins_here ? 1 : 0, scratch, total);
    if (begins_here) {
      slots[mine] = slot_of(sorted[place]);
      begins[mine] = place;
    }
    run += total;
  }
  if (block_index() == 0 && thread_index() == 0) begins[num_runs] = count;
}

}  // namespace

uint64_t* sort_by_slot(uint64_t* keys, uint64_t* other, int64_t count, int slot_bits, uint32_t* counts,
                       uint32_t* totals, Stream stream) {
  const int64_t tiles = sort_tiles(count);
  for (int shift = 0; shift < slot_bits; shift += 8) {
    launch(count_digits, tiles, kThreads, stream, keys, count, shift, counts);
    launch(sum_counts, kDigits, kWarp, stream, counts, tiles, totals);
    launch(scatter, tiles, kThreads, stream, keys, other, count, shift, counts, totals);
    uint64_t* sorted = other;
    other = keys;
    keys = sorted;
  }
  return keys;
}

void count_runs(const uint64_t* sorted, int64_t count, uint32_t* counts, uint32_t* num_runs, Stream stream) {
  launch(count_run_begins, sort_tiles(count), kThreads, stream, sorted, count, counts);
  launch(sum_counts, 1, kWarp, stream, counts, sort_tiles(count), num_runs);
}

void write_runs(const uint64_t* sorted, int64_t count, const uint32_t* counts, int64_t num_runs, int64_t* slots,
                int64_t* begins, Stream stream) {
  launch(write_run_begins, sort_tiles(count), kThreads, stream, sorted, count, counts, num_runs, slots, begins);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
