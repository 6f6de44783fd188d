#include "ops/rms_norm/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/rms_norm/rms_norm_kernel.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 15;  // less is done before another thread has woken up
constexpr int64_t kBlockRows = 64, kBlockNumbers = int64_t{1} << 12;

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

struct WeightLayout {
  int64_t inner = 1, groups = 1;
};

// From the right: dimensions that the weight lacks (inner), those it has (groups), and again those it lacks.
WeightLayout weight_layout(const at::Tensor& x, const at::Tensor& weight) {
  base::check(x.dim() > 0 && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble),
              "rms_norm: x must be [.., D] float32 or float64, got ", x.sizes(), " ", x.dtype());
  base::check(weight.scalar_type() == x.scalar_type(), "rms_norm: weight must have x's dtype ", x.dtype(), ", got ",
              weight.dtype());
  base::check(x.device().is_cpu() && weight.device().is_cpu(), "rms_norm: x and weight must be on the CPU, got ",
              x.device(), " and ", weight.device());
  WeightLayout layout;
  bool fits = weight.dim() > 0 && weight.dim() <= x.dim() && weight.size(-1) == x.size(-1);
  if (fits) {
    const int64_t lacking = x.dim() - weight.dim();
    int64_t dim = weight.dim() - 2;
    for (; dim >= 0 && weight.size(dim) == 1; --dim) layout.inner *= x.size(dim + lacking);
    for (; dim >= 0 && weight.size(dim) == x.size(dim + lacking); --dim) layout.groups *= weight.size(dim);
    for (; dim >= 0 && weight.size(dim) == 1; --dim) {}
    fits = dim < 0;
  }
  base::check(fits, "rms_norm: weight must be [D] or broadcast to x ", x.sizes(),
              " with its dimensions side by side, got ", weight.sizes());
  return layout;
}

int64_t row_count(const at::Tensor& x) { return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1); }

template <class T>
RmsProblem<T> problem(const at::Tensor& x, const at::Tensor& weight, const WeightLayout& layout) {
  return {.size = x.size(-1),
          .inner = layout.inner,
          .groups = layout.groups,
          .x = x.const_data_ptr<T>(),
          .weight = weight.const_data_ptr<T>()};
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
  const int64_t block = std::max({kBlockRows, rows.groups, kBlockNumbers / rows.size});
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
  const WeightLayout layout = weight_layout(x, weight);
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options()), inverse_root = at::empty({row_count(x)}, x.options());
  if (x.numel() == 0) return {y, inverse_root};
  if (x.scalar_type() == at::kDouble) {
    run_forward(problem<double>(rows, weights, layout), eps, y, inverse_root);
  } else {
    run_forward(problem<float>(rows, weights, layout), eps, y, inverse_root);
  }
  return {y, inverse_root};
}

TwoTensors backward_cpu(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& inverse_root) {
  const WeightLayout layout = weight_layout(x, weight);
  base::check(grad.sizes() == x.sizes() && grad.scalar_type() == x.scalar_type(),
              "rms_norm_backward: grad must be like x ", x.sizes(), " ", x.dtype(), ", got ", grad.sizes(), " ",
              grad.dtype());
  base::check(inverse_root.numel() == row_count(x) && inverse_root.scalar_type() == x.scalar_type(),
              "rms_norm_backward: inverse_root must be [", row_count(x), "] ", x.dtype(), ", got ",
              inverse_root.sizes(), " ", inverse_root.dtype());
  const at::Tensor rows = x.contiguous(), weights = weight.contiguous(), gradient = grad.contiguous();
  at::Tensor grad_x = at::empty(x.sizes(), x.options()), grad_weight = at::zeros(weight.sizes(), weight.options());
  if (x.numel() == 0) return {grad_x, grad_weight};
  const at::Tensor root = inverse_root.contiguous();
  if (x.scalar_type() == at::kDouble) {
    run_backward(problem<double>(rows, weights, layout), root, gradient, grad_x, grad_weight);
  } else {
    run_backward(problem<float>(rows, weights, layout), root, gradient, grad_x, grad_weight);
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
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) { library.impl("rms_norm", forward_autograd); }

}  // namespace memlayers::ops
