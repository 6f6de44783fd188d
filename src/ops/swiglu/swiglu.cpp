#include "ops/swiglu/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <tuple>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/op_work.h"
#include "ops/swiglu/swiglu_checks.h"
#include "ops/swiglu/swiglu_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 14;  // an e^x each: another thread pays earlier than for a norm

using TwoTensors = std::tuple<at::Tensor, at::Tensor>;

const SwigluKernel& kernel() {
  static const SwigluKernel& chosen =
      choose_kernel("swiglu", baseline::kSwigluKernel, avx2::kSwigluKernel, avx512::kSwigluKernel);
  return chosen;
}

template <class Row>
const Row* pointer(const at::Tensor& tensor) {
  return static_cast<const Row*>(tensor.const_data_ptr());
}

/// Calls `run` with the functions of the dtype.
template <class Run>
void with_functions(at::ScalarType dtype, const Run& run) {
  switch (dtype) {
    case at::kDouble:
      return run(kernel().float64);
    case at::kBFloat16:
      return run(kernel().bfloat16);
    default:
      return run(kernel().float32);
  }
}

template <class Row>
void run_forward(const SwigluFunctions<Row>& functions, const at::Tensor& gate, const at::Tensor& up, at::Tensor& y) {
  const Row *g = pointer<Row>(gate), *u = pointer<Row>(up);
  Row* out = static_cast<Row*>(y.mutable_data_ptr());
  at::parallel_for(0, y.numel(), kNumbersPerTask,
                   [&](int64_t first, int64_t last) { functions.forward(g, u, out, first, last); });
}

template <class Row>
void run_backward(const SwigluFunctions<Row>& functions, const at::Tensor& grad, const at::Tensor& gate,
                  const at::Tensor& up, at::Tensor& grad_gate, at::Tensor& grad_up) {
  const Row *d = pointer<Row>(grad), *g = pointer<Row>(gate), *u = pointer<Row>(up);
  Row* out_gate = static_cast<Row*>(grad_gate.mutable_data_ptr());
  Row* out_up = static_cast<Row*>(grad_up.mutable_data_ptr());
  at::parallel_for(0, gate.numel(), kNumbersPerTask,
                   [&](int64_t first, int64_t last) { functions.backward(d, g, u, out_gate, out_up, first, last); });
}

at::Tensor forward_cpu(const at::Tensor& gate, const at::Tensor& up) {
  check_swiglu(gate, up, at::kCPU);
  const at::Tensor g = gate.contiguous(), u = up.contiguous();
  at::Tensor y = at::empty(gate.sizes(), gate.options());
  with_functions(gate.scalar_type(), [&](const auto& functions) { run_forward(functions, g, u, y); });
  return y;
}

TwoTensors backward_cpu(const at::Tensor& grad, const at::Tensor& gate, const at::Tensor& up) {
  check_swiglu(gate, up, at::kCPU);
  check_swiglu_grad(grad, gate);
  const at::Tensor d = grad.contiguous(), g = gate.contiguous(), u = up.contiguous();
  at::Tensor grad_gate = at::empty(gate.sizes(), gate.options()), grad_up = at::empty(gate.sizes(), gate.options());
  with_functions(gate.scalar_type(),
                 [&](const auto& functions) { run_backward(functions, d, g, u, grad_gate, grad_up); });
  return {grad_gate, grad_up};
}

TwoTensors call_backward(const at::Tensor& grad, const at::Tensor& gate, const at::Tensor& up) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::swiglu_backward", "")
                             .typed<TwoTensors(const at::Tensor&, const at::Tensor&, const at::Tensor&)>();
  return op.call(grad, gate, up);
}

class SwigluFunction : public torch::autograd::Function<SwigluFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({gate, up});
    return swiglu(gate, up);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    base::check(!at::GradMode::is_enabled(), "swiglu: has no second derivative; run backward without create_graph");
    const auto saved = context->get_saved_variables();
    auto [grad_gate, grad_up] = call_backward(gradients[0], saved[0], saved[1]);
    return {grad_gate, grad_up};
  }
};

at::Tensor forward_autograd(const at::Tensor& gate, const at::Tensor& up) {
  if (at::GradMode::is_enabled()) return SwigluFunction::apply(gate, up);
  at::AutoDispatchBelowADInplaceOrView below;
  return swiglu(gate, up);
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::swiglu", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&)>();
  return op.call(gate, up);
}

static const StatesWork kSwigluWork("memlayers::swiglu", op_groups::kActivation, pass_work);
static const StatesWork kSwigluBackwardWork("memlayers::swiglu_backward", op_groups::kActivation, pass_work);
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("swiglu(Tensor gate, Tensor up) -> Tensor");
  library.def("swiglu_backward(Tensor grad, Tensor gate, Tensor up) -> (Tensor grad_gate, Tensor grad_up)");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("swiglu", forward_cpu);
  library.impl("swiglu_backward", backward_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  library.impl("swiglu", forward_autograd);
  without_gradient(library, {"swiglu_backward"});
}

}  // namespace memlayers::ops
