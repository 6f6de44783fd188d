// memory_bag of a quantized table: checks, gradient, schema. The kernels are memory_bag's.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

#include "base/error.h"
#include "ops/memory_bag/memory_bag_checks.h"
#include "ops/memory_bag/memory_bag_cpu.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "ops/quantized_bag/quantized_rows_checks.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

using BagSignature = at::Tensor(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                                const at::Tensor& slots, const at::Tensor& weights_or_grad_output);

at::Tensor forward_cpu(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim, const at::Tensor& slots,
                       const at::Tensor& weights) {
  check_quantized_bag(codes, scales, value_dim, slots, at::kCPU);
  check_weights(at::kFloat, slots, weights);
  const at::Tensor slot = slots.contiguous(), weight = weights.contiguous();
  check_slots_inside(slot, codes.size(0));
  at::Tensor output = at::empty({slot.size(0), value_dim}, weight.options());
  if (codes.scalar_type() == at::kChar) {
    run_bag_forward(bag_kernel().int8, quantized_bag_problem<int8_t>(codes, scales, value_dim, slot), weight, output);
  } else {
    run_bag_forward(bag_kernel().int4, quantized_bag_problem<HalfBytes>(codes, scales, value_dim, slot), weight,
                    output);
  }
  return output;
}

at::Tensor weight_gradient_cpu(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                               const at::Tensor& slots, const at::Tensor& grad_output) {
  check_quantized_bag(codes, scales, value_dim, slots, at::kCPU);
  check_grad_output(value_dim, slots, grad_output);
  const at::Tensor slot = slots.contiguous(), grad = grad_output.to(at::kFloat).contiguous();
  check_slots_inside(slot, codes.size(0));
  at::Tensor gradient = at::empty(slot.sizes(), grad.options());
  if (codes.scalar_type() == at::kChar) {
    run_bag_weight_gradient(bag_kernel().int8, quantized_bag_problem<int8_t>(codes, scales, value_dim, slot), grad,
                            gradient);
  } else {
    run_bag_weight_gradient(bag_kernel().int4, quantized_bag_problem<HalfBytes>(codes, scales, value_dim, slot), grad,
                            gradient);
  }
  return gradient;
}

const c10::TypedOperatorHandle<BagSignature>& forward_operator() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::quantized_bag", "").typed<BagSignature>();
  return op;
}

const c10::TypedOperatorHandle<BagSignature>& weight_gradient_operator() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::quantized_bag_weight_gradient", "")
                             .typed<BagSignature>();
  return op;
}

class QuantizedBagFunction : public torch::autograd::Function<QuantizedBagFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& codes,
                            const at::Tensor& scales, int64_t value_dim, const at::Tensor& slots,
                            const at::Tensor& weights) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["value_dim"] = value_dim;
    context->save_for_backward({codes, scales, slots});
    return forward_operator().call(codes, scales, value_dim, slots, weights);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    base::check(!at::GradMode::is_enabled(), "memory_bag: has no second derivative; run backward without create_graph");
    const auto saved = context->get_saved_variables();
    const int64_t value_dim = context->saved_data["value_dim"].toInt();
    return {{}, {}, {}, {}, weight_gradient_operator().call(saved[0], saved[1], value_dim, saved[2], gradients[0])};
  }
};

at::Tensor forward_autograd(const at::Tensor& codes, const at::Tensor& scales, int64_t value_dim,
                            const at::Tensor& slots, const at::Tensor& weights) {
  if (at::GradMode::is_enabled()) return QuantizedBagFunction::apply(codes, scales, value_dim, slots, weights);
  at::AutoDispatchBelowADInplaceOrView below;
  return forward_operator().call(codes, scales, value_dim, slots, weights);
}

}  // namespace

at::Tensor memory_bag(const QuantizedRows& table, const at::Tensor& slots, const at::Tensor& weights) {
  return forward_operator().call(table.codes, table.scales, table.value_dim, slots, weights);
}

at::Tensor memory_bag_weight_gradient(const QuantizedRows& table, const at::Tensor& slots,
                                      const at::Tensor& grad_output) {
  return weight_gradient_operator().call(table.codes, table.scales, table.value_dim, slots, grad_output);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("quantized_bag(Tensor codes, Tensor scales, int value_dim, Tensor slots, Tensor weights) -> Tensor");
  library.def(
      "quantized_bag_weight_gradient(Tensor codes, Tensor scales, int value_dim, Tensor slots, Tensor grad_output) -> "
      "Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("quantized_bag", forward_cpu);
  library.impl("quantized_bag_weight_gradient", weight_gradient_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  library.impl("quantized_bag", forward_autograd);
  without_gradient(library, {"quantized_bag_weight_gradient"});
}

}  // namespace memlayers::ops
