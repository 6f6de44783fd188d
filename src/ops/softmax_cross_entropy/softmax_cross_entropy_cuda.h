// The CUDA kernels of softmax_cross_entropy over plain pointers on a device. Their bits are those of the CPU kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// losses [rows] of contiguous logits [rows, size]; targets [rows] are inside.
template <class T>
void cross_entropy_losses(const T* logits, const int64_t* targets, int64_t size, T* losses, int64_t rows,
                          Stream stream);
/// The same; logits become scale * (softmax - onehot(target)).
template <class T>
void cross_entropy_gradient(T* logits, const int64_t* targets, int64_t size, T scale, T* losses, int64_t rows,
                            Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
