#include "model/cross_entropy.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace memlayers::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kChunkLogits = int64_t{1} << 20;  // 4 MiB of float32: the passes over it stay in cache

struct Result {
  at::Tensor loss, grad_hidden, grad_weight;
};

at::ScalarType wide(at::ScalarType dtype) { return dtype == at::kDouble ? at::kDouble : at::kFloat; }

// Sum over rows of the loss; with `rows` >= 0, gradients of the mean over `rows` are added to the result's.
void add_chunk(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, Result& result,
               const at::Tensor& grad_hidden, double scale) {
  at::Tensor logits = at::linear(hidden, weight).to(wide(weight.scalar_type()));
  const at::Tensor index = targets.unsqueeze(1);
  const at::Tensor chosen = logits.gather(1, index);
  const at::Tensor log_sum = at::logsumexp(logits, at::IntArrayRef{1}, true);
  result.loss += (log_sum - chosen).sum();
  if (!grad_hidden.defined()) return;
  at::Tensor gradient = logits.sub_(log_sum).exp_();
  gradient.scatter_add_(1, index, at::full_like(chosen, -1));
  gradient.mul_(scale);
  const at::Tensor narrow = gradient.to(weight.scalar_type());
  grad_hidden.copy_(at::mm(narrow, weight));
  if (result.grad_weight.scalar_type() == weight.scalar_type()) {
    result.grad_weight.addmm_(narrow.t(), hidden);
  } else {
    result.grad_weight.add_(at::mm(narrow.t(), hidden));
  }
}

Result compute(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, bool with_gradient) {
  const int64_t rows = hidden.size(0), chunk = std::max<int64_t>(1, kChunkLogits / weight.size(0));
  const at::TensorOptions sums = weight.options().dtype(wide(weight.scalar_type()));
  Result result;
  result.loss = at::zeros({}, sums);
  if (with_gradient) {
    result.grad_hidden = at::empty_like(hidden);
    result.grad_weight = at::zeros(weight.sizes(), sums);
  }
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    const at::Tensor part = with_gradient ? result.grad_hidden.narrow(0, begin, count) : at::Tensor();
    add_chunk(hidden.narrow(0, begin, count), weight, targets.narrow(0, begin, count), result, part,
              1.0 / static_cast<double>(rows));
  }
  result.loss /= static_cast<double>(rows);
  return result;
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& targets) {
    const Result result = compute(hidden, weight, targets, true);
    context->save_for_backward({result.grad_hidden, result.grad_weight});
    context->saved_data["dtype"] = static_cast<int64_t>(weight.scalar_type());
    return result.loss;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto dtype = static_cast<at::ScalarType>(context->saved_data["dtype"].toInt());
    return {(saved[0] * gradients[0]).to(dtype), (saved[1] * gradients[0]).to(dtype), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets) {
  const bool with_gradient = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  if (with_gradient) return LinearCrossEntropy::apply(hidden, weight, targets);
  return compute(hidden, weight, targets, false).loss;
}

}  // namespace memlayers::model
