// What one forward pass tells all layers.
#pragma once

#include "layers/key_value_cache.h"
#include "layers/pass.h"
#include "layers/rotary.h"

namespace memlayers::layers {

struct ForwardContext {
  Pass* pass = nullptr;               // the caller's
  at::ScalarType dtype = at::kFloat;  // of matrix products
  const Rotary* rotary = nullptr;
  KeyValueCache* cache = nullptr;      // of frozen layers only; null: the whole sequence is given
  const at::Tensor* tokens = nullptr;  // [B, positions up to and with those given] int64, for n-gram layers
};

}  // namespace memlayers::layers
