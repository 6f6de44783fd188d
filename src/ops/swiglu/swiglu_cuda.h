// The CUDA kernels of swiglu over plain pointers on a device. Their bits are those of the CPU kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// y = silu(gate) * up of `count` numbers. Row is the element (uint16_t: bfloat16 bits).
template <class Row>
void swiglu_forward(const Row* gate, const Row* up, Row* y, int64_t count, Stream stream);
template <class Row>
void swiglu_backward(const Row* grad, const Row* gate, const Row* up, Row* grad_gate, Row* grad_up, int64_t count,
                     Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
