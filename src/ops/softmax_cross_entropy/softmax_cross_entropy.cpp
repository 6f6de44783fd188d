#include "ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <type_traits>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/op_work.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy_checks.h"
#include "ops/softmax_cross_entropy/softmax_cross_entropy_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kLogitsPerTask = int64_t{1} << 14;  // an e^x each: another thread pays earlier than for a norm

const CrossEntropyKernel& kernel() {
  static const CrossEntropyKernel& chosen = choose_kernel("softmax_cross_entropy", baseline::kCrossEntropyKernel,
                                                          avx2::kCrossEntropyKernel, avx512::kCrossEntropyKernel);
  return chosen;
}

template <class T>
const CrossEntropyFunctions<T>& functions() {
  if constexpr (std::is_same_v<T, double>) {
    return kernel().float64;
  } else {
    return kernel().float32;
  }
}

// Contiguous, and all inside.
at::Tensor checked_targets(const at::Tensor& targets, int64_t vocabulary) {
  const at::Tensor packed = targets.contiguous();
  const int64_t *begin = packed.const_data_ptr<int64_t>(), *end = begin + packed.numel();
  const int64_t* outside = std::find_if(begin, end, [&](int64_t t) { return t < 0 || t >= vocabulary; });
  if (outside != end) throw_target_outside(*outside, vocabulary);
  return packed;
}

template <class Call>
void for_rows(const at::Tensor& logits, const Call& call) {
  const int64_t grain = std::max<int64_t>(1, kLogitsPerTask / logits.size(1));
  at::parallel_for(0, logits.size(0), grain, call);
}

template <class T>
void run_losses(const at::Tensor& logits, const at::Tensor& targets, at::Tensor& losses) {
  const T* x = logits.const_data_ptr<T>();
  const int64_t* target = targets.const_data_ptr<int64_t>();
  T* loss = losses.mutable_data_ptr<T>();
  for_rows(logits,
           [&](int64_t first, int64_t last) { functions<T>().losses(x, target, logits.size(1), loss, first, last); });
}

template <class T>
void run_gradient(at::Tensor& logits, const at::Tensor& targets, double scale, at::Tensor& losses) {
  T *x = logits.mutable_data_ptr<T>(), *loss = losses.mutable_data_ptr<T>();
  const int64_t* target = targets.const_data_ptr<int64_t>();
  for_rows(logits, [&](int64_t first, int64_t last) {
    functions<T>().gradient(x, target, logits.size(1), T(scale), loss, first, last);
  });
}

at::Tensor losses_cpu(const at::Tensor& logits, const at::Tensor& targets) {
  check_logits(logits, targets, at::kCPU);
  const at::Tensor packed = checked_targets(targets, logits.size(1));
  at::Tensor losses = at::empty({logits.size(0)}, logits.options());
  if (logits.scalar_type() == at::kDouble) {
    run_losses<double>(logits, packed, losses);
  } else {
    run_losses<float>(logits, packed, losses);
  }
  return losses;
}

at::Tensor gradient_cpu(at::Tensor& logits, const at::Tensor& targets, double scale) {
  check_logits(logits, targets, at::kCPU);
  const at::Tensor packed = checked_targets(targets, logits.size(1));
  at::Tensor losses = at::empty({logits.size(0)}, logits.options());
  if (logits.scalar_type() == at::kDouble) {
    run_gradient<double>(logits, packed, scale, losses);
  } else {
    run_gradient<float>(logits, packed, scale, losses);
  }
  return losses;
}

}  // namespace

at::Tensor softmax_cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::softmax_cross_entropy", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&)>();
  return op.call(logits, targets);
}

at::Tensor softmax_cross_entropy_gradient_(at::Tensor& logits, const at::Tensor& targets, double scale) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::softmax_cross_entropy_gradient_", "")
                             .typed<at::Tensor(at::Tensor&, const at::Tensor&, double)>();
  return op.call(logits, targets, scale);
}

static const StatesWork kLossWork("memlayers::softmax_cross_entropy", op_groups::kLoss, pass_work);
static const StatesWork kLossGradientWork("memlayers::softmax_cross_entropy_gradient_", op_groups::kLoss, pass_work);
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("softmax_cross_entropy(Tensor logits, Tensor targets) -> Tensor");
  library.def("softmax_cross_entropy_gradient_(Tensor(a!) logits, Tensor targets, float scale) -> Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("softmax_cross_entropy", losses_cpu);
  library.impl("softmax_cross_entropy_gradient_", gradient_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  without_gradient(library, {"softmax_cross_entropy", "softmax_cross_entropy_gradient_"});
}

}  // namespace memlayers::ops
