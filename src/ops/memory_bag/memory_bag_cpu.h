// What memory_bag of numbers and of codes share on the CPU: the kernel's choice, the look at slots, the split over
// threads.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/memory_bag/memory_bag_kernel.h"

namespace memlayers::ops {

const BagKernel& bag_kernel();
/// slots contiguous. Throws base::UsageError: the first that is outside of [0, num_slots).
void check_slots_inside(const at::Tensor& slots, int64_t num_slots);

inline constexpr int64_t kTokensPerTask = 16;

template <class Row, class T>
void run_bag_forward(const BagFunctions<Row, T>& functions, const BagProblem<Row, T>& bag, const at::Tensor& weights,
                     const at::Tensor& output) {
  using Output = typename BagProblem<Row, T>::Output;
  const T* weight = weights.const_data_ptr<T>();
  auto* out = static_cast<Output*>(output.mutable_data_ptr());
  at::parallel_for(0, output.size(0), kTokensPerTask, [&](int64_t first, int64_t last) {
    std::vector<T> scratch(static_cast<size_t>(bag.value_dim + kBagPad));
    functions.forward(bag, weight, out, scratch.data(), first, last);
  });
}

template <class Row, class T>
void run_bag_weight_gradient(const BagFunctions<Row, T>& functions, const BagProblem<Row, T>& bag,
                             const at::Tensor& grad_output, const at::Tensor& gradient) {
  const T* grad = grad_output.const_data_ptr<T>();
  T* out = gradient.mutable_data_ptr<T>();
  at::parallel_for(0, gradient.size(0), kTokensPerTask,
                   [&](int64_t first, int64_t last) { functions.weight_gradient(bag, grad, out, first, last); });
}

}  // namespace memlayers::ops
