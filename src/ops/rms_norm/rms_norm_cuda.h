// The CUDA kernels of rms_norm over plain pointers on a device. Their bits are those of the CPU kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/rms_norm/rms_norm_kernel.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// y [rows, D] and inverse_root [rows] = 1 / sqrt(mean(x^2) + eps). D > 0.
template <class T>
void rms_forward(const RmsProblem<T>& problem, T* y, T* inverse_root, int64_t rows, Stream stream);

/// grad_x [rows, D] and grad_weight [groups, D] of grad [rows, D]. partial [blocks of rms_block_rows() rows, groups, D]
/// is scratch.
template <class T>
void rms_backward(const RmsProblem<T>& problem, const T* grad, T* grad_x, T* partial, T* grad_weight, int64_t rows,
                  Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
