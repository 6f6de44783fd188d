// read_memory as the ops that it is made of: documentation, the oracle of tests, and what runs on devices.
#pragma once

#include "ops/memory_read/memory_read.h"

namespace memlayers::ops {

at::Tensor read_memory_reference(const at::Tensor& query, const std::optional<at::Tensor>& norm_weight, double eps,
                                 const PackedSubKeys& sub_keys, int64_t k, const at::Tensor& table);

}  // namespace memlayers::ops
