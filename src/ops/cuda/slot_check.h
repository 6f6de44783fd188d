// The wrappers' side of slot_range.h.
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "ops/cuda/slot_range.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// The first slot outside [0, num_slots), if there is one. Waits for the device; so a graph that is being recorded goes
/// without, and reads what was checked when it ran unrecorded.
inline std::optional<int64_t> slot_outside(const at::Tensor& slots, int64_t num_slots, Stream stream) {
  if (slots.numel() == 0 || is_recording()) return std::nullopt;
  const at::Tensor found = at::empty({1}, slots.options());
  find_slot_outside(slots.const_data_ptr<int64_t>(), slots.numel(), num_slots, found.mutable_data_ptr<int64_t>(),
                    stream);
  int64_t place = 0, slot = 0;
  copy_to_host(&place, found.const_data_ptr(), sizeof(place), stream);
  if (place == slots.numel()) return std::nullopt;
  copy_to_host(&slot, slots.const_data_ptr<int64_t>() + place, sizeof(slot), stream);
  return slot;
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
