// What one forward pass tells all layers.
#pragma once

#include "layers/initialize.h"
#include "layers/key_value_cache.h"
#include "layers/rotary.h"

namespace memlayers::layers {

struct ForwardContext {
  bool training = false;              // dropout and batch statistics
  at::ScalarType dtype = at::kFloat;  // of matrix products
  const Rotary* rotary = nullptr;
  KeyValueCache* cache = nullptr;  // null: the whole sequence is given
  DropoutStream* dropout = nullptr;
  at::Tensor* balance_loss = nullptr;  // in training, experts add theirs; null: nobody asks
  const at::Tensor* tokens = nullptr;  // [B, positions up to and with those given] int64, for n-gram layers
};

}  // namespace memlayers::layers
