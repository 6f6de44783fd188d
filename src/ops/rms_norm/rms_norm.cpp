#include "ops/rms_norm/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/op_work.h"
#include "ops/rms_norm/rms_norm_checks.h"
#include "ops/rms_norm/rms_norm_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 16;  // less is done before another thread has woken up

using TwoTensors = std::tuple<at::Tensor, at::Tensor>;

const RmsKernel& kernel() {
  static const RmsKernel& chosen =
      choose_kernel("rms_norm", baseline::kRmsKernel, avx2::kRmsKernel, avx512::kRmsKernel);
  return chosen;
}

template <class T>
const RmsFunctions<T>& functions() {
  if constexpr (sizeof(T) == sizeof(double))
    return kernel().float64;
  else
    return kernel().float32;
}

template <class T>
void run_forward(RmsProblem<T> rows, double eps, at::Tensor& y, at::Tensor& inverse_root) {
  rows.eps = eps;
  T *out = y.mutable_data_ptr<T>(), *root = inverse_root.mutable_data_ptr<T>();
  const int64_t grain = std::max<int64_t>(1, kNumbersPerTask / rows.size);
  at::parallel_for(0, inverse_root.numel(), grain,
                   [&](int64_t first, int64_t last) { functions<T>().forward(rows, out, root, first, last); });
}

// Each block of rows has its own sum of the weight's gradient; the blocks are added in order.
template <class T>
void run_backward(RmsProblem<T> rows, const at::Tensor& inverse_root, const at::Tensor& grad, at::Tensor& grad_x,
                  at::Tensor& grad_weight) {
  rows.inverse_root = inverse_root.const_data_ptr<T>();
  const int64_t count = inverse_root.numel(), weights = rows.groups * rows.size;
  const int64_t block = rms_block_rows(rows.size, rows.groups);
  const int64_t blocks = (count + block - 1) / block;
  at::Tensor partial = at::zeros({blocks, weights}, grad_weight.options());
  const T* g = grad.const_data_ptr<T>();
  T *out = grad_x.mutable_data_ptr<T>(), *sums = partial.mutable_data_ptr<T>();
  const int64_t grain = std::max<int64_t>(1, kNumbersPerTask / (block * rows.size));
  at::parallel_for(0, blocks, grain, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b) {
      functions<T>().backward(rows, g, out, sums + b * weights, b * block, std::min(count, (b + 1) * block));
    }
  });
  T* total = grad_weight.mutable_data_ptr<T>();
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < weights; ++i) total[i] += sums[b * weights + i];
  }
}

TwoTensors forward_cpu(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const WeightLayout layout = weight_layout(x, weight, at::kCPU);
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options()), inverse_root = at::empty({row_count(x)}, x.options());
  if (x.numel() == 0) return {y, inverse_root};
  if (x.scalar_type() == at::kDouble) {
    run_forward(rms_problem<double>(rows, weights, layout), eps, y, inverse_root);
  } else {
    run_forward(rms_problem<float>(rows, weights, layout), eps, y, inverse_root);
  }
  return {y, inverse_root};
}

TwoTensors backward_cpu(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& inverse_root) {
  const WeightLayout layout = weight_layout(x, weight, at::kCPU);
  check_rms_backward(grad, x, inverse_root);
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous(), gradient = grad.contiguous();
  at::Tensor grad_x = at::empty(x.sizes(), x.options()), grad_weight = at::zeros(weight.sizes(), weight.options());
  if (x.numel() == 0) return {grad_x, grad_weight};
  const at::Tensor root = inverse_root.contiguous();
  if (x.scalar_type() == at::kDouble) {
    run_backward(rms_problem<double>(rows, weights, layout), root, gradient, grad_x, grad_weight);
  } else {
    run_backward(rms_problem<float>(rows, weights, layout), root, gradient, grad_x, grad_weight);
  }
  return {grad_x, grad_weight};
}

using ForwardSignature = TwoTensors(const at::Tensor&, const at::Tensor&, double);
using BackwardSignature = TwoTensors(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&);

TwoTensors call_forward(const at::Tensor& x, const at::Tensor& weight, double eps) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::rms_norm", "").typed<ForwardSignature>();
  return op.call(x, weight, eps);
}

TwoTensors call_backward(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& inverse_root) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::rms_norm_backward", "").typed<BackwardSignature>();
  return op.call(grad, x, weight, inverse_root);
}

class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                                                const at::Tensor& weight, double eps) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [y, inverse_root] = call_forward(x, weight, eps);
    context->save_for_backward({x, weight, inverse_root});
    context->mark_non_differentiable({inverse_root});
    return {y, inverse_root};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    base::check(!at::GradMode::is_enabled(), "rms_norm: has no second derivative; run backward without create_graph");
    const auto saved = context->get_saved_variables();
    auto [grad_x, grad_weight] = call_backward(gradients[0], saved[0], saved[1], saved[2]);
    return {grad_x, grad_weight, {}};
  }
};

TwoTensors forward_autograd(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!at::GradMode::is_enabled()) {  // decoding: a node that nobody asks costs as much as a short row
    at::AutoDispatchBelowADInplaceOrView below;
    return call_forward(x, weight, eps);
  }
  const auto outputs = RmsNormFunction::apply(x, weight, eps);
  return {outputs[0], outputs[1]};
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return std::get<0>(call_forward(x, weight, eps));
}

static const StatesWork kNormWork("memlayers::rms_norm", op_groups::kNorms, pass_work);
static const StatesWork kNormBackwardWork("memlayers::rms_norm_backward", op_groups::kNorms, pass_work);
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("rms_norm(Tensor x, Tensor weight, float eps) -> (Tensor y, Tensor inverse_root)");
  library.def(
      "rms_norm_backward(Tensor grad, Tensor x, Tensor weight, Tensor inverse_root) -> (Tensor grad_x, "
      "Tensor grad_weight)");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("rms_norm", forward_cpu);
  library.impl("rms_norm_backward", backward_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  library.impl("rms_norm", forward_autograd);
  without_gradient(library, {"rms_norm_backward"});
}

}  // namespace memlayers::ops
