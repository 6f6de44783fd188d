// The CUDA kernel of rotary over plain pointers on a device. Its bits are those of the CPU kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/rotary/rotary_kernel.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// x and y [positions, H, D] with positions = B * T; the pointers of `problem` are the device's. Row is the element
/// (uint16_t: bfloat16 bits).
template <class Row>
void turn_rows(const RotaryProblem& problem, const Row* x, Row* y, int64_t positions, Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
