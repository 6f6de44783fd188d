// A kernel is given pointers. One into another device's memory would end the process or a CUDA context where an error
// should say what is wrong.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "base/error.h"

namespace memlayers::ops {

/// Throws a UsageError where the tensor does not lie where `like` does.
inline void check_same_device(std::string_view op, std::string_view name, const at::Tensor& tensor,
                              const at::Tensor& like) {
  base::check(tensor.device() == like.device(), op, ": ", name, " must be on ", like.device(),
              " as the others are, got ", tensor.device());
}

}  // namespace memlayers::ops
