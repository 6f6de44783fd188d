// Sub-keys without gradient, because no query finds them or their slots weigh nothing: moved beside others.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::training {

/// Which sub-keys are dead: the mean of their `exp_avg_sq` [H, 2, n, K/2] is below a thousandth of that of their head and half.
/// [H, 2, n] bool. With beta2 0.99 that is no gradient for some 700 steps. None where nothing has a gradient yet.
at::Tensor dead_sub_keys(const at::Tensor& exp_avg_sq);

/// Makes every dead sub-key a copy of a live one of its head and half, drawn in proportion to exp_avg_sq, plus normal noise of 0.3 of
/// the copied one's root mean square; its moments start again at zero. All [H, 2, n, K/2] float32, changed in place;
/// what is drawn is a function of `key`. Returns how many were moved.
int64_t restart_dead_sub_keys(at::Tensor& sub_keys, at::Tensor& exp_avg, at::Tensor& exp_avg_sq, uint64_t key);

}  // namespace memlayers::training
