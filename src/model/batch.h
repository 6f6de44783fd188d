// Token ids as a model takes them.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace memlayers::model {

/// [rows, ids / rows] int64 of a batch's ids, row after row.
at::Tensor batch_tensor(std::span<const int32_t> ids, int64_t rows);

}  // namespace memlayers::model
