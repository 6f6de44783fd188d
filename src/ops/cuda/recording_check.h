// What may not be put into a CUDA graph.
#pragma once

#include "base/error.h"
#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// Throws base::UsageError while a graph is being recorded. `act` is what the host would do.
inline void check_not_recording(const char* act) {
  base::check(!is_recording(), "a CUDA graph is being recorded, and this operation cannot be part of one: the host ",
              act, "; call it before or after");
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
