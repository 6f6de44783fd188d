#include "ops/rotary/rotary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/op_work.h"
#include "ops/rotary/rotary_checks.h"
#include "ops/rotary/rotary_kernel.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 16;  // less is done before another thread has woken up

const RotaryKernel& kernel() {
  static const RotaryKernel& chosen =
      choose_kernel("rotary", baseline::kRotaryKernel, avx2::kRotaryKernel, avx512::kRotaryKernel);
  return chosen;
}

template <class Row>
void run(RotaryFunction<Row> turn, const RotaryProblem& problem, const at::Tensor& x, at::Tensor& y) {
  const Row* in = static_cast<const Row*>(x.const_data_ptr());
  Row* out = static_cast<Row*>(y.mutable_data_ptr());
  const int64_t grain = std::max<int64_t>(1, kNumbersPerTask / (problem.heads * 2 * problem.half));
  at::parallel_for(0, x.size(0) * x.size(1), grain,
                   [&](int64_t first, int64_t last) { turn(problem, in, out, first, last); });
}

at::Tensor rotary_cpu(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start,
                      bool inverse) {
  check_rotary(x, cosine, sine, start, at::kCPU);
  at::Tensor y = at::empty(x.sizes(), x.options());
  if (x.numel() == 0) return y;
  const at::Tensor packed = x.contiguous();
  const RotaryProblem problem = rotary_problem(x, cosine, sine, start, inverse);
  switch (x.scalar_type()) {
    case at::kDouble:
      run(kernel().float64, problem, packed, y);
      break;
    case at::kBFloat16:
      run(kernel().bfloat16, problem, packed, y);
      break;
    default:
      run(kernel().float32, problem, packed, y);
  }
  return y;
}

class RotaryFunctionOfX : public torch::autograd::Function<RotaryFunctionOfX> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine, int64_t start, bool inverse) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({cosine, sine});
    context->saved_data["start"] = start;
    context->saved_data["inverse"] = inverse;
    return rotary(x, cosine, sine, start, inverse);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {rotary(gradients[0], saved[0], saved[1], context->saved_data["start"].toInt(),
                   !context->saved_data["inverse"].toBool()),
            {},
            {},
            {},
            {}};
  }
};

at::Tensor rotary_autograd(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start,
                           bool inverse) {
  if (at::GradMode::is_enabled()) return RotaryFunctionOfX::apply(x, cosine, sine, start, inverse);
  at::AutoDispatchBelowADInplaceOrView below;
  return rotary(x, cosine, sine, start, inverse);
}

}  // namespace

at::Tensor rotary(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, int64_t start, bool inverse) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("memlayers::rotary", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, int64_t, bool)>();
  return op.call(x, cosine, sine, start, inverse);
}

static const StatesWork kRotaryWork("memlayers::rotary", op_groups::kAttention, pass_work);
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("rotary(Tensor x, Tensor cosine, Tensor sine, int start, bool inverse=False) -> Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) { library.impl("rotary", rotary_cpu); }
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) { library.impl("rotary", rotary_autograd); }

}  // namespace memlayers::ops
