#include "model/cross_entropy.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "ops/softmax_cross_entropy/softmax_cross_entropy.h"

namespace memlayers::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The softmax is done row by row in cache whatever the chunk. The products want it large, since each chunk reads the
// whole weight: 32 rows took 1.7 times as long as 128 (V = 32,000, d = 512). More than that gave little and leaves the
// cache.
constexpr int64_t kChunkLogits = int64_t{1} << 20, kChunkRows = 128;

struct Result {
  at::Tensor loss, grad_hidden, grad_weight;
};

at::ScalarType wide(at::ScalarType dtype) { return dtype == at::kDouble ? at::kDouble : at::kFloat; }

// logits [rows, V] = hidden weight^T; narrow products are widened.
void fill_logits(at::Tensor& logits, const at::Tensor& hidden, const at::Tensor& weight) {
  if (logits.scalar_type() == weight.scalar_type()) {
    at::mm_out(logits, hidden, weight.t());
  } else {
    logits.copy_(at::mm(hidden, weight.t()));
  }
}

// Of a chunk: grad_hidden is written, the weight's gradient added to where there is one.
void add_gradients(const at::Tensor& grad_logits, const at::Tensor& hidden, const at::Tensor& weight,
                   at::Tensor grad_hidden, at::Tensor& grad_weight) {
  const at::Tensor narrow = grad_logits.to(weight.scalar_type());
  at::mm_out(grad_hidden, narrow, weight);
  if (!grad_weight.defined()) return;
  if (grad_weight.scalar_type() == weight.scalar_type()) {
    grad_weight.addmm_(narrow.t(), hidden);
  } else {
    grad_weight.add_(at::mm(narrow.t(), hidden));
  }
}

// In row order, so that neither chunks nor threads change it.
at::Tensor mean_in_order(const at::Tensor& losses) {
  const at::Tensor exact = losses.to(at::kDouble);
  const double* loss = exact.const_data_ptr<double>();
  return at::scalar_tensor(std::accumulate(loss, loss + exact.numel(), 0.0) / static_cast<double>(exact.numel()),
                           losses.options());
}

Result compute(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, bool with_gradient,
               bool of_weight) {
  const int64_t rows = hidden.size(0), vocabulary = weight.size(0);
  const int64_t chunk = std::min(rows, std::max(kChunkRows, kChunkLogits / vocabulary));
  const at::TensorOptions sums = weight.options().dtype(wide(weight.scalar_type()));
  const at::Tensor losses = at::empty({rows}, sums), buffer = at::empty({chunk, vocabulary}, sums);
  Result result;
  if (with_gradient) {
    result.grad_hidden = at::empty(hidden.sizes(), hidden.options());
    if (of_weight) result.grad_weight = at::zeros(weight.sizes(), sums);
  }
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    const at::Tensor part = hidden.narrow(0, begin, count), target = targets.narrow(0, begin, count);
    at::Tensor logits = buffer.narrow(0, 0, count);
    fill_logits(logits, part, weight);
    if (!with_gradient) {
      losses.narrow(0, begin, count).copy_(ops::softmax_cross_entropy(logits, target));
      continue;
    }
    const double scale = 1.0 / static_cast<double>(rows);
    losses.narrow(0, begin, count).copy_(ops::softmax_cross_entropy_gradient_(logits, target, scale));
    add_gradients(logits, part, weight, result.grad_hidden.narrow(0, begin, count), result.grad_weight);
  }
  result.loss = mean_in_order(losses);
  return result;
}

// The loss is mostly what backward starts from, with a gradient of 1: no pass over the weight's gradient then.
at::Tensor scaled(const at::Tensor& gradient, const at::Tensor& factor) {
  return factor.item<double>() == 1 ? gradient : gradient * factor;
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& targets) {
    const bool of_weight = weight.requires_grad();  // else it is frozen: a third of the work is saved
    const Result result = compute(hidden, weight, targets, true, of_weight);
    context->save_for_backward({result.grad_hidden, result.grad_weight});
    context->saved_data["dtype"] = static_cast<int64_t>(weight.scalar_type());
    return result.loss;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto dtype = static_cast<at::ScalarType>(context->saved_data["dtype"].toInt());
    const auto own = [&](const at::Tensor& gradient) {
      return gradient.defined() ? scaled(gradient, gradients[0]).to(dtype) : at::Tensor();
    };
    return {own(saved[0]), own(saved[1]), at::Tensor()};
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets) {
  const bool with_gradient = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  if (with_gradient) return LinearCrossEntropy::apply(hidden, weight, targets);
  const at::NoGradGuard no_grad;
  return compute(hidden, weight, targets, false, false).loss;
}

}  // namespace memlayers::model
