#include "layers/row_dots.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace memlayers::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Table and records travel outside of the saved variables: rows may be brought up to date between forward and backward
// (never those that this bag read), which autograd would take for a modification.
struct Kept : torch::CustomClassHolder {
  Kept(at::Tensor kept_table, std::shared_ptr<ops::BagRecords> kept_records)
      : table(std::move(kept_table)), records(std::move(kept_records)) {}
  at::Tensor table;
  std::shared_ptr<ops::BagRecords> records;
};

// The dot products are the weights' gradient of a bag, and their gradient in x is a bag: both ops serve twice.
struct RowDots : torch::autograd::Function<RowDots> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& slots,
                            const at::Tensor& table, const std::shared_ptr<ops::BagRecords>& records) {
    context->save_for_backward({x, slots});
    context->saved_data["kept"] = at::IValue::make_capsule(c10::make_intrusive<Kept>(table, records));
    return ops::memory_bag_weight_gradient(table, slots, x);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &slots = saved[1];
    const auto capsule = context->saved_data["kept"].toCapsule();
    const Kept& kept = static_cast<const Kept&>(*capsule);
    const at::Tensor gradient = gradients[0].contiguous();
    if (kept.records) kept.records->push_back({slots, gradient, x.detach().to(gradient.scalar_type())});
    const at::Tensor grad_x = ops::memory_bag(kept.table, slots, gradient, nullptr);
    return {grad_x.to(x.scalar_type()), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor row_dots(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& x,
                    const std::shared_ptr<ops::BagRecords>& records) {
  // The table learns even where x itself needs no gradient.
  const bool only_table = at::GradMode::is_enabled() && !x.requires_grad();
  return RowDots::apply(only_table ? x.detach().requires_grad_(true) : x, slots, table, records);
}

}  // namespace memlayers::layers
