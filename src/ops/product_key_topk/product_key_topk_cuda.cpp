// product_key_topk on a device: the checks of the contract, memory, launches. Compiled for CUDA, and once more for the
// emulation, where the device is the host and these take the place of the CPU kernels.
#include "ops/product_key_topk/product_key_topk_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "ops/cuda/device_type.h"
#include "ops/cuda/radix_sort.h"
#include "ops/cuda/slot_check.h"
#include "ops/product_key_topk/product_key_topk_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

using Outputs = std::tuple<at::Tensor, at::Tensor>;

// Scratch of the long lists, in numbers. Tokens are taken in portions that keep to it.
constexpr int64_t kMostHalfScores = 1 << 24;
constexpr int64_t kMostPairs = 1 << 23;

template <class T>
T* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

/// Working memory for `tokens` tokens.
template <class T>
struct Scratch {
  at::Tensor list_scores, list_keys, half_scores, pair_scores, pair_slots;
  HalfLists<T> lists;

  Scratch(const TopKShape& shape, int64_t tokens, bool scores_given, const at::TensorOptions& options) {
    const int64_t rows = tokens * shape.heads, length = shape.half_candidates();
    list_scores = at::empty({rows, 2, length}, options);
    list_keys = at::empty({rows, 2, length}, options.dtype(at::kInt));
    lists = {length, list_scores.mutable_data_ptr<T>(), list_keys.mutable_data_ptr<int32_t>()};
    if (length > kMostListed && !scores_given) half_scores = at::empty({rows, 2, shape.num_sub_keys}, options);
    if (shape.staircase_pairs() > kMostPairsShared) {
      pair_scores = at::empty({rows, shape.staircase_pairs()}, options);
      pair_slots = at::empty({rows, shape.staircase_pairs()}, options.dtype(at::kLong));
    }
  }
};

/// All tokens where nothing long is kept of each.
int64_t tokens_per_portion(const TopKShape& shape, int64_t tokens, bool scores_given) {
  int64_t portion = std::max<int64_t>(tokens, 1);
  if (shape.half_candidates() > kMostListed && !scores_given) {
    portion = std::min(portion, kMostHalfScores / (shape.heads * 2 * shape.num_sub_keys));
  }
  if (shape.staircase_pairs() > kMostPairsShared) {
    portion = std::min(portion, kMostPairs / (shape.heads * shape.staircase_pairs()));
  }
  return std::max<int64_t>(portion, 1);
}

template <class T>
void run_forward(const TopKShape& shape, const HalfScoreSource<T>& all, int64_t tokens, const at::Tensor& scores,
                 const at::Tensor& slots, Stream stream) {
  if (tokens == 0 || shape.heads == 0) return;
  const int64_t portion = tokens_per_portion(shape, tokens, all.given);
  Scratch<T> scratch(shape, portion, all.given, scores.options());
  for (int64_t first = 0; first < tokens; first += portion) {
    const int64_t count = std::min(portion, tokens - first), row = first * shape.heads;
    HalfScoreSource<T> source = all;
    if (all.given) {
      source.given += row * 2 * shape.num_sub_keys;
    } else {
      source.query += row * 2 * shape.half_dim;
    }
    if (scratch.half_scores.defined()) {
      score_halves(shape, source.query, source.sub_keys, scratch.half_scores.template mutable_data_ptr<T>(), count,
                   stream);
      source.given = scratch.half_scores.template const_data_ptr<T>();
    }
    if (source.given) {
      list_given_halves(shape, source.given, scratch.lists, count, stream);
    } else {
      list_halves(shape, source.query, source.sub_keys, scratch.lists, count, stream);
    }
    select_pairs(shape, scratch.lists, source, data_or_null<T>(scratch.pair_scores),
                 data_or_null<int64_t>(scratch.pair_slots), scores.mutable_data_ptr<T>() + row * shape.k,
                 slots.mutable_data_ptr<int64_t>() + row * shape.k, count, stream);
  }
}

Outputs empty_outputs(const TopKShape& shape, int64_t tokens, const at::TensorOptions& options) {
  const at::Tensor scores = at::empty({tokens, shape.heads, shape.k}, options);
  return {scores, at::empty(scores.sizes(), options.dtype(at::kLong))};
}

Outputs forward(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  check_inputs(query, sub_keys, k, kDeviceType);
  const c10::DeviceGuard guard(query.device());
  const TopKShape shape = shape_of(sub_keys, k);
  const auto dtype = score_dtype(query);
  const at::Tensor queries = query.to(dtype).contiguous(), keys = sub_keys.to(dtype).contiguous();
  const auto [scores, slots] = empty_outputs(shape, query.size(0), queries.options());
  const auto run = [&]<class T>(T) {
    const HalfScoreSource<T> source{nullptr, queries.const_data_ptr<T>(), keys.const_data_ptr<T>()};
    run_forward<T>(shape, source, query.size(0), scores, slots, current_stream());
  };
  dtype == at::kDouble ? run(double{}) : run(float{});
  return {scores, slots};
}

// Packing serves the CPU's kernel. Here it is only undone again, so that a model that keeps packed sub-keys runs as
// well.

at::Tensor pack(const at::Tensor& sub_keys) {
  check_sub_keys_to_pack(sub_keys);
  const TopKShape shape = shape_of(sub_keys, 1);
  const at::Tensor keys = sub_keys.to(score_dtype(sub_keys));
  const at::Tensor padded = at::constant_pad_nd(keys, {0, 0, 0, shape.padded_keys() - shape.num_sub_keys});
  return padded.reshape({shape.heads * 2 * shape.num_panels(), kKeysPerPanel, shape.half_dim})
      .transpose(1, 2)
      .contiguous();
}

Outputs packed_forward(const at::Tensor& query, const at::Tensor& panels, int64_t heads, int64_t num_sub_keys,
                       int64_t k) {
  const TopKShape shape = check_packed(query, panels, heads, num_sub_keys, k);
  const at::Tensor padded = panels.transpose(1, 2).reshape({heads, 2, shape.padded_keys(), shape.half_dim});
  return forward(query.to(panels.scalar_type()), padded.narrow(2, 0, num_sub_keys), k);
}

/// half_scores [N, H, 2, n] float32 or float64, as a matrix library gives them.
Outputs of_half_scores(const at::Tensor& half_scores, int64_t k) {
  const char* op = "product_key_topk_of_half_scores: ";
  base::check(half_scores.dim() == 4 && half_scores.size(2) == 2 && half_scores.is_contiguous() &&
                  (half_scores.scalar_type() == at::kFloat || half_scores.scalar_type() == at::kDouble),
              op, "half_scores must be a contiguous [N, H, 2, n] float32 or float64 tensor, got ", half_scores.sizes(),
              " ", half_scores.dtype());
  const int64_t n = half_scores.size(3);
  base::check(n >= 1 && n < int64_t{1} << 31 && k >= 1 && k <= n * n, op, "k must be in [1, n * n = ", n * n, "], got ",
              k);
  const c10::DeviceGuard guard(half_scores.device());
  const TopKShape shape{.heads = half_scores.size(1), .num_sub_keys = n, .half_dim = 0, .k = k};
  const auto [scores, slots] = empty_outputs(shape, half_scores.size(0), half_scores.options());
  const auto run = [&]<class T>(T) {
    const HalfScoreSource<T> source{half_scores.const_data_ptr<T>(), nullptr, nullptr};
    run_forward<T>(shape, source, half_scores.size(0), scores, slots, current_stream());
  };
  half_scores.scalar_type() == at::kDouble ? run(double{}) : run(float{});
  return {scores, slots};
}

template <class T>
void run_sub_key_gradient(const TopKShape& shape, const at::Tensor& grad_scores, const at::Tensor& slots,
                          const at::Tensor& query, const at::Tensor& gradient, Stream stream) {
  const int64_t count = 2 * slots.numel(), rows = shape.heads * 2 * shape.num_sub_keys;
  base::check(count <= int64_t{std::numeric_limits<uint32_t>::max()}, "product_key_topk_backward: ", slots.numel(),
              " slots in one call, at most 2^31 - 1 are supported");
  const auto words = slots.options(), half_words = slots.options().dtype(at::kInt);
  const at::Tensor keys = at::empty({count}, words), other = at::empty({count}, words);
  const at::Tensor counts = at::empty({kDigits * sort_tiles(count)}, half_words),
                   totals = at::empty({kDigits}, half_words);
  const auto unsigned_data = [](const at::Tensor& tensor) { return static_cast<uint32_t*>(tensor.mutable_data_ptr()); };
  auto* numbered = static_cast<uint64_t*>(keys.mutable_data_ptr());
  number_sub_keys(shape, slots.const_data_ptr<int64_t>(), numbered, query.size(0), stream);
  const uint64_t* sorted =
      sort_by_slot(numbered, static_cast<uint64_t*>(other.mutable_data_ptr()), count,
                   std::bit_width(uint64_t(rows - 1)), unsigned_data(counts), unsigned_data(totals), stream);
  sub_key_gradient(shape, sorted, count, grad_scores.const_data_ptr<T>(), query.const_data_ptr<T>(),
                   gradient.mutable_data_ptr<T>(), stream);
}

/// Gradients in the inputs' dtype; an undefined tensor for what is not wanted.
Outputs backward(const at::Tensor& grad_scores, const at::Tensor& slots, const at::Tensor& query,
                 const at::Tensor& sub_keys, bool wants_query, bool wants_sub_keys) {
  check_backward_inputs(grad_scores, slots, query, sub_keys, kDeviceType);
  const c10::DeviceGuard guard(query.device());
  const Stream stream = current_stream();
  const auto dtype = score_dtype(query);
  const at::Tensor queries = query.to(dtype).contiguous(), keys = sub_keys.to(dtype).contiguous();
  const at::Tensor grads = grad_scores.to(dtype).contiguous();
  const TopKShape shape = shape_of(sub_keys, slots.size(2));
  const int64_t pairs = shape.num_sub_keys * shape.num_sub_keys;
  const at::Tensor slot = slots_inside(slots.contiguous(), pairs, stream, throw_slot_outside_pairs);
  at::Tensor grad_query, grad_sub_keys;
  const auto run = [&]<class T>(T) {
    if (wants_query) {
      grad_query = at::empty(queries.sizes(), queries.options());
      query_gradient(shape, grads.const_data_ptr<T>(), slot.const_data_ptr<int64_t>(), keys.const_data_ptr<T>(),
                     grad_query.mutable_data_ptr<T>(), query.size(0), stream);
    }
    if (wants_sub_keys) {
      grad_sub_keys = at::empty(keys.sizes(), keys.options());
      run_sub_key_gradient<T>(shape, grads, slot, queries, grad_sub_keys, stream);
    }
  };
  dtype == at::kDouble ? run(double{}) : run(float{});
  if (wants_query) grad_query = grad_query.to(query.scalar_type());
  if (wants_sub_keys) grad_sub_keys = grad_sub_keys.to(query.scalar_type());
  return {grad_query, grad_sub_keys};
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("product_key_topk", forward);
  library.impl("pack_sub_keys", pack);
  library.impl("product_key_topk_packed", packed_forward);
  library.impl("product_key_topk_of_half_scores", of_half_scores);
  library.impl("product_key_topk_backward", backward);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
