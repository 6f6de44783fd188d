// First values of parameters, and random tensors in general, by counter: no generator state, any number of threads.
#pragma once

#include "layers/parameter.h"

namespace memlayers::layers {

/// A key for one named use of one seed.
uint64_t random_key(uint64_t seed, const std::string& name);

/// Fills `tensor` (float32, contiguous) from the stream `key`: element e depends on (key, e) alone.
void fill_random(at::Tensor& tensor, Initializer initializer, uint64_t key);

/// The stream is keyed by (seed, name), so tensors of equal name and shape start equal in different models: the dense
/// parts of a memory model start as those of its dense twin.
void initialize(const Parameter& parameter, uint64_t seed);

/// Zeroes each element of `input` with probability `share` and multiplies the rest by 1 / (1 - share). The mask is a
/// function of (key, element). Differentiable in `input`.
at::Tensor dropout(const at::Tensor& input, double share, uint64_t key);

/// Where dropout masks come from: a mask is a function of (seed, step, how many masks this step drew before), so a
/// resumed run draws what an uninterrupted one does.
struct DropoutStream {
  uint64_t seed = 0, step = 0, draws = 0;
  uint64_t next_key();
};

}  // namespace memlayers::layers
