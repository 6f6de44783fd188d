// memory_bag as a composition of ATen operations: any float type, any device, gradients of everything (the table's
// too, dense). It is the definition that tests compare with.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// table [S, D], slots [N, M] int64, weights [N, M] of the table's dtype; returns [N, D].
at::Tensor memory_bag_reference(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights);

}  // namespace memlayers::ops
