// The CUDA kernels of memory_bag over plain pointers on a device. Their bits are those of the CPU kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/memory_bag/memory_bag_kernel.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// output [N, D] = the weighted sums of `tokens` bags; weights [N, M]. Row and T as in BagProblem.
template <class Row, class T>
void bag_forward(const BagProblem<Row, T>& bag, const T* weights, typename BagProblem<Row, T>::Output* output,
                 int64_t tokens, Stream stream);

/// weight_gradient [N, M] = dot products of grad_output [N, D] with the bag's rows.
template <class Row, class T>
void bag_weight_gradient(const BagProblem<Row, T>& bag, const T* grad_output, T* weight_gradient, int64_t tokens,
                         Stream stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
