#include "ops/product_key_topk/product_key_topk.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/product_key_topk/product_key_topk_checks.h"
#include "ops/product_key_topk/product_key_topk_filter.h"
#include "ops/product_key_topk/product_key_topk_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kProductsPerTask = 1 << 17;  // of the forward: what takes longer than waking a thread
constexpr int64_t kTokensPerTask = 16;         // of the queries' gradient
constexpr int64_t kColumnsPerTask = 64;        // of the sub-keys' gradient

const TopKKernel& kernel() {
  static const TopKKernel& chosen =
      choose_kernel("product_key_topk", baseline::kTopKKernel, avx2::kTopKKernel, avx512::kTopKKernel);
  return chosen;
}

template <class T>
const TopKFunctions<T>& functions() {
  if constexpr (std::is_same_v<T, double>) {
    return kernel().float64;
  } else {
    return kernel().float32;
  }
}

/// Kept from call to call, since k seldom changes and a token's shapes cost as much as its selection.
const PairShapes& pair_shapes(int64_t k) {
  thread_local PairShapes shapes = make_pair_shapes(k);
  if (shapes.k != k) shapes = make_pair_shapes(k);
  return shapes;
}

template <class T>
at::Tensor pack_panels(const TopKShape& shape, const at::Tensor& sub_keys) {
  const int64_t count = shape.heads * 2 * shape.num_panels();
  const at::Tensor panels = at::empty({count, shape.half_dim, kKeysPerPanel}, sub_keys.options());
  const T* source = sub_keys.const_data_ptr<T>();
  T* target = panels.mutable_data_ptr<T>();
  at::parallel_for(0, count, 4, [&](int64_t first, int64_t last) {
    functions<T>().pack_panels(shape, source, target, first, last);
  });
  return panels;
}

template <class T>
void run_forward(const TopKShape& shape, const at::Tensor& query, const at::Tensor& panels, const at::Tensor& scores,
                 const at::Tensor& slots) {
  const T *query_data = query.const_data_ptr<T>(), *panel_data = panels.const_data_ptr<T>();
  T* score_data = scores.mutable_data_ptr<T>();
  int64_t* slot_data = slots.mutable_data_ptr<int64_t>();
  const TopKScratchLayout layout(shape, std::min(shape.tokens_per_block(), query.size(0)));
  const PairShapes& shapes = pair_shapes(shape.k);
  const int64_t tokens = query.size(0), blocks = tokens == 0 ? 0 : (tokens + layout.tokens - 1) / layout.tokens;
  const int64_t products = std::max<int64_t>(1, layout.tokens * 2 * shape.padded_keys() * shape.half_dim);
  at::parallel_for(0, blocks * shape.heads, kProductsPerTask / products + 1, [&](int64_t first, int64_t last) {
    std::vector<T> numbers(static_cast<size_t>(layout.numbers));
    std::vector<int32_t> indices(static_cast<size_t>(layout.indices));
    functions<T>().forward(shape, query_data, panel_data, score_data, slot_data, layout, shapes, numbers.data(),
                           indices.data(), tokens, first, last);
  });
}

/// Whether AMX filters for this shape. Says so once.
bool filters(const TopKShape& shape, int64_t tokens, at::ScalarType dtype) {
  if (base::isa() < base::Isa::kAmx || dtype == at::kDouble || !TopKFilter::suits(shape, tokens)) return false;
  static const bool said = [] {
    base::log(base::LogLevel::kDebug, "product_key_topk: amx filter");
    return true;
  }();
  return said;
}

void run_filtered(const TopKShape& shape, const at::Tensor& query, const at::Tensor& sub_keys, const at::Tensor& scores,
                  const at::Tensor& slots) {
  const float *query_data = query.const_data_ptr<float>(), *key_data = sub_keys.const_data_ptr<float>();
  float* score_data = scores.mutable_data_ptr<float>();
  int64_t* slot_data = slots.mutable_data_ptr<int64_t>();
  const int64_t tokens = query.size(0);
  // Blocks as long as leave every thread its own; a result does not depend on its block.
  const int64_t tokens_a_thread = tokens * shape.heads / at::get_num_threads();
  const TopKFilterLayout layout(shape, std::clamp<int64_t>(tokens_a_thread, 1, tokens));
  const PairShapes& shapes = pair_shapes(shape.k);
  const int64_t blocks = (tokens + layout.tokens - 1) / layout.tokens;
  at::parallel_for(0, blocks * shape.heads, 1, [&](int64_t first, int64_t last) {
    const at::Tensor numbers = at::empty({layout.numbers}, at::kFloat);
    const at::Tensor indices = at::empty({layout.indices}, at::kInt), narrow = at::empty({layout.narrow}, at::kShort);
    for (int64_t task = first; task < last; ++task) {
      const int64_t head = task / blocks, begin = task % blocks * layout.tokens;
      amx::kTopKFilter.forward(shape, layout, shapes, query_data, key_data, score_data, slot_data,
                               numbers.mutable_data_ptr<float>(), indices.mutable_data_ptr<int32_t>(),
                               reinterpret_cast<uint16_t*>(narrow.mutable_data_ptr<int16_t>()), head, begin,
                               std::min(begin + layout.tokens, tokens));
    }
  });
}

at::Tensor pack(const TopKShape& shape, const at::Tensor& sub_keys, at::ScalarType dtype) {
  const at::Tensor keys = sub_keys.to(dtype).contiguous();
  return dtype == at::kDouble ? pack_panels<double>(shape, keys) : pack_panels<float>(shape, keys);
}

std::tuple<at::Tensor, at::Tensor> select(const TopKShape& shape, const at::Tensor& query, const at::Tensor& panels) {
  const at::Tensor queries = query.to(panels.scalar_type()).contiguous();
  const at::Tensor scores = at::empty({query.size(0), shape.heads, shape.k}, queries.options());
  const at::Tensor slots = at::empty(scores.sizes(), scores.options().dtype(at::kLong));
  if (panels.scalar_type() == at::kDouble) {
    run_forward<double>(shape, queries, panels, scores, slots);
  } else {
    run_forward<float>(shape, queries, panels, scores, slots);
  }
  return {scores, slots};
}

std::tuple<at::Tensor, at::Tensor> forward_cpu(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  check_inputs(query, sub_keys, k, at::kCPU);
  const TopKShape shape = shape_of(sub_keys, k);
  if (!filters(shape, query.size(0), score_dtype(query))) {
    return select(shape, query, pack(shape, sub_keys, score_dtype(query)));
  }
  const at::Tensor scores = at::empty({query.size(0), shape.heads, k}, query.options().dtype(at::kFloat));
  const at::Tensor slots = at::empty(scores.sizes(), scores.options().dtype(at::kLong));
  run_filtered(shape, query.to(at::kFloat).contiguous(), sub_keys.to(at::kFloat).contiguous(), scores, slots);
  return {scores, slots};
}

at::Tensor pack_cpu(const at::Tensor& sub_keys) {
  check_sub_keys_to_pack(sub_keys);
  return pack(shape_of(sub_keys, 1), sub_keys, score_dtype(sub_keys));
}

std::tuple<at::Tensor, at::Tensor> packed_forward_cpu(const at::Tensor& query, const at::Tensor& panels, int64_t heads,
                                                      int64_t num_sub_keys, int64_t k) {
  const TopKShape shape = check_packed(query, panels, heads, num_sub_keys, k);
  return select(shape, query, panels);
}

template <class T>
void run_backward(const TopKShape& shape, const at::Tensor& grad_scores, const at::Tensor& slots,
                  const at::Tensor& query, const at::Tensor& sub_keys, const at::Tensor& grad_query,
                  const at::Tensor& grad_sub_keys) {
  const T *grad_data = grad_scores.const_data_ptr<T>(), *query_data = query.const_data_ptr<T>(),
          *key_data = sub_keys.const_data_ptr<T>();
  const int64_t* slot_data = slots.const_data_ptr<int64_t>();
  const int64_t tokens = query.size(0);
  if (grad_query.defined()) {
    T* out = grad_query.mutable_data_ptr<T>();
    at::parallel_for(0, tokens, kTokensPerTask, [&](int64_t first, int64_t last) {
      functions<T>().query_gradient(shape, grad_data, slot_data, key_data, out, first, last);
    });
  }
  if (grad_sub_keys.defined()) {
    // A task owns some columns of one head and half, and adds all tokens in their order: no two threads meet.
    T* out = grad_sub_keys.mutable_data_ptr<T>();
    const int64_t column_tasks = (shape.half_dim + kColumnsPerTask - 1) / kColumnsPerTask;
    at::parallel_for(0, shape.heads * 2 * column_tasks, 1, [&](int64_t first, int64_t last) {
      for (int64_t task = first; task < last; ++task) {
        const int64_t half = task / column_tasks, column = task % column_tasks * kColumnsPerTask;
        functions<T>().key_gradient(shape, grad_data, slot_data, query_data, out, tokens, half / 2, half % 2, column,
                                    std::min(column + kColumnsPerTask, shape.half_dim));
      }
    });
  }
}

void check_slots(const at::Tensor& slots, int64_t num_sub_keys) {
  const int64_t* slot = slots.const_data_ptr<int64_t>();
  const int64_t count = num_sub_keys * num_sub_keys;
  for (int64_t i = 0; i < slots.numel(); ++i) {
    if (slot[i] < 0 || slot[i] >= count) throw_slot_outside_pairs(slot[i], count);
  }
}

/// Gradients in the inputs' dtype; an undefined tensor for what is not wanted.
std::tuple<at::Tensor, at::Tensor> backward_cpu(const at::Tensor& grad_scores, const at::Tensor& slots,
                                                const at::Tensor& query, const at::Tensor& sub_keys, bool wants_query,
                                                bool wants_sub_keys) {
  check_backward_inputs(grad_scores, slots, query, sub_keys, at::kCPU);
  const auto dtype = score_dtype(query);
  const at::Tensor queries = query.to(dtype).contiguous(), keys = sub_keys.to(dtype).contiguous();
  const at::Tensor grads = grad_scores.to(dtype).contiguous(), slot = slots.contiguous();
  check_slots(slot, sub_keys.size(2));
  at::Tensor grad_query, grad_sub_keys;
  if (wants_query) grad_query = at::empty(queries.sizes(), queries.options());
  if (wants_sub_keys) grad_sub_keys = at::zeros(keys.sizes(), keys.options());
  const TopKShape shape = shape_of(sub_keys, slots.size(2));
  if (dtype == at::kDouble) {
    run_backward<double>(shape, grads, slot, queries, keys, grad_query, grad_sub_keys);
  } else {
    run_backward<float>(shape, grads, slot, queries, keys, grad_query, grad_sub_keys);
  }
  if (wants_query) grad_query = grad_query.to(query.scalar_type());
  if (wants_sub_keys) grad_sub_keys = grad_sub_keys.to(query.scalar_type());
  return {grad_query, grad_sub_keys};
}

using Signature = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, int64_t);
using BackwardSignature = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                                             const at::Tensor&, bool, bool);

const c10::TypedOperatorHandle<Signature>& forward_operator() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::product_key_topk", "").typed<Signature>();
  return op;
}

const c10::TypedOperatorHandle<BackwardSignature>& backward_operator() {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::product_key_topk_backward", "")
                             .typed<BackwardSignature>();
  return op;
}

class ProductKeyTopKFunction : public torch::autograd::Function<ProductKeyTopKFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                                                const at::Tensor& sub_keys, int64_t k) {
    at::AutoDispatchBelowADInplaceOrView below;
    auto [scores, slots] = forward_operator().call(query, sub_keys, k);
    context->save_for_backward({query, sub_keys, slots});
    context->mark_non_differentiable({slots});
    return {scores, slots};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    base::check(!at::GradMode::is_enabled(),
                "product_key_topk: has no second derivative; run backward without create_graph");
    const auto saved = context->get_saved_variables();
    const auto [grad_query, grad_sub_keys] = backward_operator().call(
        gradients[0], saved[2], saved[0], saved[1], context->needs_input_grad(0), context->needs_input_grad(1));
    return {grad_query, grad_sub_keys, {}};
  }
};

std::tuple<at::Tensor, at::Tensor> forward_autograd(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  if (!at::GradMode::is_enabled()) {
    at::AutoDispatchBelowADInplaceOrView below;
    return forward_operator().call(query, sub_keys, k);
  }
  const auto outputs = ProductKeyTopKFunction::apply(query, sub_keys, k);
  return {outputs[0], outputs[1]};
}

}  // namespace

TopK product_key_topk(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  auto [scores, slots] = forward_operator().call(query, sub_keys, k);
  return {scores, slots};
}

PackedSubKeys pack_sub_keys(const at::Tensor& sub_keys) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::pack_sub_keys", "")
                             .typed<at::Tensor(const at::Tensor&)>();
  return {op.call(sub_keys), sub_keys.size(0), sub_keys.size(2)};
}

TopK product_key_topk(const at::Tensor& query, const PackedSubKeys& sub_keys, int64_t k) {
  using PackedSignature =
      std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, int64_t, int64_t, int64_t);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::product_key_topk_packed", "").typed<PackedSignature>();
  auto [scores, slots] = op.call(query, sub_keys.panels, sub_keys.heads, sub_keys.num_sub_keys, k);
  return {scores, slots};
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("pack_sub_keys(Tensor sub_keys) -> Tensor");
  library.def(
      "product_key_topk_packed(Tensor query, Tensor panels, int heads, int num_sub_keys, int k) -> (Tensor scores, "
      "Tensor slots)");
  library.def("product_key_topk(Tensor query, Tensor sub_keys, int k) -> (Tensor scores, Tensor slots)");
  // The same from half scores that a matrix library made; on devices only.
  library.def("product_key_topk_of_half_scores(Tensor half_scores, int k) -> (Tensor scores, Tensor slots)");
  library.def(
      "product_key_topk_backward(Tensor grad_scores, Tensor slots, Tensor query, Tensor sub_keys, bool wants_query, "
      "bool wants_sub_keys) -> (Tensor grad_query, Tensor grad_sub_keys)");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("product_key_topk", forward_cpu);
  library.impl("pack_sub_keys", pack_cpu);
  library.impl("product_key_topk_packed", packed_forward_cpu);
  library.impl("product_key_topk_backward", backward_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  library.impl("product_key_topk", forward_autograd);
  without_gradient(library, {"pack_sub_keys", "product_key_topk_backward", "product_key_topk_of_half_scores",
                             "product_key_topk_packed"});
}

}  // namespace memlayers::ops
