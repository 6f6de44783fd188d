// What decoding keeps of a memory layer: made once, when the layer is frozen.
#pragma once

#include <optional>

#include "ops/memory_decode/memory_decode.h"

namespace memlayers::layers {

/// Query batch-norm outside of training, as one multiplication and addition per number. [H*K]
struct QueryAffine {
  at::Tensor scale, shift;
};

struct MemoryDecoding {
  std::optional<ops::PackedMemory> at_once;  // of a layer that is decoded in one call
  ops::PackedSubKeys keys = {};              // of any other, and
  QueryAffine affine = {};                   // this, with query batch-norm
};

}  // namespace memlayers::layers
