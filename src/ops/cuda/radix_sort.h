// Stable sorting of entries by slot on a device, and finding the runs of equal slots.
//
// A sort of our own and not CUB's: what runs on a device is then all proven on the emulation, and it is not what
// takes the time. A pass moves 24 bytes an entry, while the row that the entry stands for has 1 to 8 KiB.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"

namespace memlayers::ops {

inline constexpr int kSortTile = 4096;  // entries of a block
inline constexpr int kDigits = 256;

/// Entries are slot << 32 | entry; fewer than 2^32 of them.
inline int64_t sort_tiles(int64_t count) { return (count + kSortTile - 1) / kSortTile; }

namespace MEMLAYERS_DEVICE {

/// Sorts `keys` by the lowest `slot_bits` bits of their slots, stable, least significant digit first. Needs room for a
/// copy in `other`, counts [kDigits, sort_tiles] and totals [kDigits]. Returns where the sorted keys are: keys or
/// other.
uint64_t* sort_by_slot(uint64_t* keys, uint64_t* other, int64_t count, int slot_bits, uint32_t* counts,
                       uint32_t* totals, Stream stream);

/// *num_runs = how many different slots the sorted keys have; counts [sort_tiles] is what write_runs needs.
void count_runs(const uint64_t* sorted, int64_t count, uint32_t* counts, uint32_t* num_runs, Stream stream);
/// slots [num_runs] and begins [num_runs + 1]: each run's slot, where it begins, and at the end `count`.
void write_runs(const uint64_t* sorted, int64_t count, const uint32_t* counts, int64_t num_runs, int64_t* slots,
                int64_t* begins, Stream stream);

}  // namespace MEMLAYERS_DEVICE
}  // namespace memlayers::ops
