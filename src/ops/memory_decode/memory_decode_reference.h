// The definition of memory_decode: the layer's operations one by one.
#pragma once

#include "ops/memory_decode/memory_decode.h"

namespace memlayers::ops {

/// As decode_memory, of the weights as they are.
DecodedMemory decode_memory_reference(const at::Tensor& x, const MemoryWeights& weights, const at::Tensor& table);

}  // namespace memlayers::ops
