// The checks that the CPU's and CUDA's side of softmax_cross_entropy share.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/error.h"

namespace memlayers::ops {

inline void check_logits(const at::Tensor& logits, const at::Tensor& targets, at::DeviceType device) {
  base::check(logits.dim() == 2 && logits.size(1) > 0 &&
                  (logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kDouble),
              "softmax_cross_entropy: logits must be [R, V] float32 or float64 with V > 0, got ", logits.sizes(), " ",
              logits.dtype());
  base::check(logits.is_contiguous(), "softmax_cross_entropy: logits must be contiguous, got strides ",
              logits.strides());
  base::check(targets.dim() == 1 && targets.size(0) == logits.size(0) && targets.scalar_type() == at::kLong,
              "softmax_cross_entropy: targets must be [", logits.size(0), "] int64, got ", targets.sizes(), " ",
              targets.dtype());
  base::check(logits.device().type() == device && targets.device() == logits.device(),
              "softmax_cross_entropy: logits and targets must be on one ", device, " device, got ", logits.device(),
              " and ", targets.device());
}

[[noreturn]] inline void throw_target_outside(int64_t target, int64_t vocabulary) {
  throw base::UsageError(base::concat("softmax_cross_entropy: target ", target,
                                      " is outside the vocabulary, expected 0 <= target < ", vocabulary));
}

}  // namespace memlayers::ops
