// Whether slots lie inside their table, asked on the device.
//
// The host can wait for the answer, or not, as while a CUDA graph is recorded: then slots are replaced on the way, and
// the device remembers that one had to be, until somebody takes the note.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// What take_findings and find_slot_outside leave.
struct SlotFindings {
  int64_t place;      // of the first slot outside, or the count
  uint64_t replaced;  // the largest slot (as a number without sign) that was replaced since somebody asked, or 0: none
};

/// The first slot of `count` that is outside [0, num_slots), and the note, which is taken.
void find_slot_outside(const int64_t* slots, int64_t count, int64_t num_slots, SlotFindings* findings, Stream stream);
/// The note alone; the place is 0.
void take_note(SlotFindings* findings, Stream stream);

/// inside [count] = slots, with 0 in place of those outside [0, num_slots), num_slots > 0, which are noted.
void replace_slots_outside(const int64_t* slots, int64_t count, int64_t num_slots, int64_t* inside, Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
