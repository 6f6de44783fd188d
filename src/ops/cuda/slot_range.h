// Whether slots lie inside their table, asked on the device.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// *found = the place of the first slot of `count` that is outside [0, num_slots), or `count`.
void find_slot_outside(const int64_t* slots, int64_t count, int64_t num_slots, int64_t* found, Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
