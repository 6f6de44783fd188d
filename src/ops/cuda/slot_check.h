// The wrappers' side of slot_range.h.
#pragma once

#include <ATen/ATen.h>

#include "base/error.h"
#include "ops/cuda/slot_range.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

[[noreturn]] inline void throw_slot_replaced(uint64_t slot) {
  throw base::UsageError(
      base::concat("memory_bag: a CUDA graph was replayed with slot ", static_cast<int64_t>(slot),
                   ", which is outside its table; what it has computed since it was last asked is not "
                   "to be used (slot 0 was read instead)"));
}

/// `ask(findings)` has the device write them; this waits for them. Throws where a slot has been replaced.
template <class Ask>
SlotFindings wait_for_findings(const at::TensorOptions& options, Stream stream, const Ask& ask) {
  const at::Tensor on_device = at::empty({int64_t(sizeof(SlotFindings))}, options.dtype(at::kByte));
  ask(static_cast<SlotFindings*>(on_device.mutable_data_ptr()));
  SlotFindings findings{};
  copy_to_host(&findings, on_device.const_data_ptr(), sizeof(findings), stream);
  if (findings.replaced != 0) throw_slot_replaced(findings.replaced);
  return findings;
}

/// Slots [..] (contiguous), after waiting for the device to look at them; or `throw_outside(slot, num_slots)`.
inline const at::Tensor& checked_slots(const at::Tensor& slots, int64_t num_slots, Stream stream,
                                       void (*throw_outside)(int64_t slot, int64_t num_slots)) {
  if (slots.numel() == 0) return slots;
  const int64_t* slot = slots.const_data_ptr<int64_t>();
  const SlotFindings findings = wait_for_findings(slots.options(), stream, [&](SlotFindings* on_device) {
    find_slot_outside(slot, slots.numel(), num_slots, on_device, stream);
  });
  if (findings.place == slots.numel()) return slots;
  int64_t outside = 0;
  copy_to_host(&outside, slot + findings.place, sizeof(outside), stream);
  throw_outside(outside, num_slots);
  return slots;
}

/// Slots [..] (contiguous) that may be read without looking: the given ones, after waiting for the device, or
/// `throw_outside(slot, num_slots)`. While a graph is being recorded, a copy without those outside (slot_range.h);
/// whether there were any is said at the next call that waits.
inline at::Tensor slots_inside(const at::Tensor& slots, int64_t num_slots, Stream stream,
                               void (*throw_outside)(int64_t slot, int64_t num_slots)) {
  if (slots.numel() == 0 || !is_recording()) return checked_slots(slots, num_slots, stream, throw_outside);
  base::check(num_slots > 0, "memory_bag: a table without rows has no slot to read");
  at::Tensor inside = at::empty(slots.sizes(), slots.options());
  replace_slots_outside(slots.const_data_ptr<int64_t>(), slots.numel(), num_slots, inside.mutable_data_ptr<int64_t>(),
                        stream);
  return inside;
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
