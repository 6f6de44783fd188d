#include "ops/memory_bag/memory_bag.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/huge_pages.h"
#include "ops/kernel_choice.h"
#include "ops/memory_bag/memory_bag_checks.h"
#include "ops/memory_bag/memory_bag_cpu.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

at::Tensor forward_cpu(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
  check_table_and_slots(table, slots, at::kCPU);
  check_weights(table.scalar_type(), slots, weights);
  const at::Tensor slot = slots.contiguous(), weight = weights.contiguous();
  check_slots_inside(slot, table.size(0));
  at::Tensor output = at::empty({slot.size(0), table.size(1)}, table.options());
  switch (table.scalar_type()) {
    case at::kDouble:
      run_bag_forward(bag_kernel().float64, bag_problem<double, double>(table, slot), weight, output);
      break;
    case at::kBFloat16:
      run_bag_forward(bag_kernel().bfloat16, bag_problem<uint16_t, float>(table, slot), weight, output);
      break;
    default:
      run_bag_forward(bag_kernel().float32, bag_problem<float, float>(table, slot), weight, output);
  }
  return output;
}

at::Tensor weight_gradient_cpu(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output) {
  check_table_and_slots(table, slots, at::kCPU);
  check_grad_output(table.size(1), slots, grad_output);
  const at::Tensor slot = slots.contiguous();
  const at::Tensor grad = grad_output.to(weight_dtype(table)).contiguous();
  check_slots_inside(slot, table.size(0));
  at::Tensor gradient = at::empty(slot.sizes(), grad.options());
  switch (table.scalar_type()) {
    case at::kDouble:
      run_bag_weight_gradient(bag_kernel().float64, bag_problem<double, double>(table, slot), grad, gradient);
      break;
    case at::kBFloat16:
      run_bag_weight_gradient(bag_kernel().bfloat16, bag_problem<uint16_t, float>(table, slot), grad, gradient);
      break;
    default:
      run_bag_weight_gradient(bag_kernel().float32, bag_problem<float, float>(table, slot), grad, gradient);
  }
  return gradient;
}

using BagSignature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&);

const c10::TypedOperatorHandle<BagSignature>& forward_operator() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::memory_bag", "").typed<BagSignature>();
  return op;
}

const c10::TypedOperatorHandle<BagSignature>& weight_gradient_operator() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::memory_bag_weight_gradient", "").typed<BagSignature>();
  return op;
}

/// Carries the records' pointer through the autograd context, which stores tensors and boxed values only.
struct RecordsHolder : torch::CustomClassHolder {
  explicit RecordsHolder(std::shared_ptr<BagRecords> pointer) : records(std::move(pointer)) {}
  std::shared_ptr<BagRecords> records;
};

class MemoryBagFunction : public torch::autograd::Function<MemoryBagFunction> {
 public:
  /// `anchor` is an empty tensor that requires a gradient where the table is trained: the output then takes part in
  /// backward even if the weights are constant. It never receives anything.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& table, const at::Tensor& slots,
                            const at::Tensor& weights, const at::Tensor& /*anchor*/,
                            const std::shared_ptr<BagRecords>& records) {
    at::AutoDispatchBelowADInplaceOrView below;
    at::Tensor output = forward_operator().call(table, slots, weights);
    // Not among the saved variables: other layers may bring rows that this bag does not read up to date in place.
    context->saved_data["table"] = table;
    context->save_for_backward({slots, weights});
    if (records) {
      context->saved_data["records"] = c10::IValue::make_capsule(c10::make_intrusive<RecordsHolder>(records));
    }
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    base::check(!at::GradMode::is_enabled(), "memory_bag: has no second derivative; run backward without create_graph");
    const at::Tensor& grad_output = gradients[0];
    const auto saved = context->get_saved_variables();
    const at::Tensor &slots = saved[0], &weights = saved[1];
    const at::Tensor table = context->saved_data["table"].toTensor();
    const auto holder = context->saved_data.find("records");
    if (holder != context->saved_data.end()) {
      const auto capsule = holder->second.toCapsule();
      static_cast<RecordsHolder&>(*capsule).records->push_back(
          {slots.detach(), weights.detach(), grad_output.detach().to(weights.scalar_type()).contiguous()});
    }
    at::Tensor grad_weights;
    if (context->needs_input_grad(kWeightsInput)) {
      grad_weights = weight_gradient_operator().call(table, slots, grad_output);
    }
    return {{}, {}, grad_weights, {}, {}};
  }

 private:
  static constexpr size_t kWeightsInput = 2;
};

at::Tensor forward_autograd(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
  if (at::GradMode::is_enabled()) {
    return MemoryBagFunction::apply(table, slots, weights, at::empty({0}), std::shared_ptr<BagRecords>());
  }
  at::AutoDispatchBelowADInplaceOrView below;  // decoding: a node that nobody asks costs as much as a bag
  return forward_operator().call(table, slots, weights);
}

}  // namespace

const BagKernel& bag_kernel() {
  static const BagKernel& chosen =
      choose_kernel("memory_bag", baseline::kBagKernel, avx2::kBagKernel, avx512::kBagKernel);
  return chosen;
}

void check_slots_inside(const at::Tensor& slots, int64_t num_slots) {
  const int64_t* slot = slots.const_data_ptr<int64_t>();
  std::atomic<bool> outside{false};
  at::parallel_for(0, slots.numel(), 1 << 16, [&](int64_t first, int64_t last) {
    // Compared as unsigned, a negative slot is too large as well.
    uint64_t largest = 0;
    for (int64_t i = first; i < last; ++i) largest = std::max(largest, uint64_t(slot[i]));
    if (largest >= uint64_t(num_slots) && first < last) outside = true;
  });
  if (!outside) return;
  const int64_t* found = std::find_if(slot, slot + slots.numel(), [&](int64_t s) { return s < 0 || s >= num_slots; });
  throw_slot_outside(*found, num_slots);
}

at::Tensor allocate_rows(int64_t rows, int64_t value_dim, at::ScalarType dtype) {
  at::Tensor tensor = at::empty({rows, value_dim}, dtype);
  if (tensor.nbytes() > 0) base::prefer_huge_pages(tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

at::Tensor memory_bag(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights,
                      std::shared_ptr<BagRecords> records) {
  if (!records || !at::GradMode::is_enabled()) return forward_operator().call(table, slots, weights);
  const at::Tensor anchor = at::empty({0}).requires_grad_(true);
  return MemoryBagFunction::apply(table, slots, weights, anchor, records);
}

at::Tensor memory_bag_weight_gradient(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output) {
  return weight_gradient_operator().call(table, slots, grad_output);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("memory_bag(Tensor table, Tensor slots, Tensor weights) -> Tensor");
  library.def("memory_bag_weight_gradient(Tensor table, Tensor slots, Tensor grad_output) -> Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("memory_bag", forward_cpu);
  library.impl("memory_bag_weight_gradient", weight_gradient_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  library.impl("memory_bag", forward_autograd);
  without_gradient(library, {"memory_bag_weight_gradient"});
}

}  // namespace memlayers::ops
