#include "ops/memory_read/memory_read.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "ops/kernel_choice.h"
#include "ops/memory_bag/memory_bag_checks.h"
#include "ops/memory_bag/memory_bag_cpu.h"
#include "ops/memory_read/memory_read_reference.h"
#include "ops/product_key_topk/product_key_topk_checks.h"
#include "ops/rms_norm/rms_norm_kernel.h"

namespace memlayers::ops {
namespace {

/// Products of a token's half scores up to which a token is read by one thread. Larger layers want their heads on several.
constexpr int64_t kSmallProducts = 1 << 17;
/// A thread is woken for as much work as so many products are; ranking a head's sub-keys counts as kRankedProducts.
constexpr int64_t kProductsPerTask = 1 << 16, kRankedProducts = 1 << 12;

using MaybeTensor = std::optional<at::Tensor>;

const RmsKernel& rms_kernel() {
  static const RmsKernel& chosen =
      choose_kernel("memory_read", baseline::kRmsKernel, avx2::kRmsKernel, avx512::kRmsKernel);
  return chosen;
}
const TopKKernel& topk_kernel() {
  static const TopKKernel& chosen =
      choose_kernel("memory_read", baseline::kTopKKernel, avx2::kTopKKernel, avx512::kTopKKernel);
  return chosen;
}

/// A thread's working memory, kept from call to call.
struct Scratch {
  std::vector<float> queries, roots, numbers, sum;
  std::vector<int32_t> indices;
  PairShapes shapes;

  /// At least `size` numbers.
  template <class T>
  static T* of(std::vector<T>& memory, int64_t size) {
    if (memory.size() < static_cast<size_t>(size)) memory.resize(static_cast<size_t>(size));
    return memory.data();
  }
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

/// One call. Tensors are contiguous.
struct Read {
  TopKShape shape;
  const float* query = nullptr;        // [N, H, K]
  const float* norm_weight = nullptr;  // [2, K/2], or null
  double eps = 0;
  const float* panels = nullptr;
  at::Tensor scores, weights, slots;  // [N, H * k], as rows of heads for the softmax

  /// Tokens [first, last): scores and slots.
  void select(int64_t first, int64_t last) const {
    Scratch& mine = scratch();
    const int64_t count = last - first, width = shape.heads * 2 * shape.half_dim;
    const float* queries = query + first * width;
    if (norm_weight) {
      float* normed = Scratch::of(mine.queries, count * width);
      const RmsProblem<float> rows{
          .size = shape.half_dim, .groups = 2, .eps = eps, .x = queries, .weight = norm_weight};
      const int64_t halves = count * shape.heads * 2;
      rms_kernel().float32.forward(rows, normed, Scratch::of(mine.roots, halves), 0, halves);
      queries = normed;
    }
    if (mine.shapes.k != shape.k) mine.shapes = make_pair_shapes(shape.k);
    const TopKScratchLayout layout(shape, std::min(shape.tokens_per_block(), count));
    const int64_t blocks = (count + layout.tokens - 1) / layout.tokens, place = first * shape.heads * shape.k;
    topk_kernel().float32.forward(shape, queries, panels, scores.mutable_data_ptr<float>() + place,
                                  slots.mutable_data_ptr<int64_t>() + place, layout, mine.shapes,
                                  Scratch::of(mine.numbers, layout.numbers), Scratch::of(mine.indices, layout.indices),
                                  count, 0, blocks * shape.heads);
  }

  /// torch's softmax, as layers take it in training.
  void weigh(int64_t first, int64_t last) const {
    if (last - first == scores.size(0)) {
      at::_softmax_out(const_cast<at::Tensor&>(weights), scores, -1, false);
    } else {
      at::Tensor part = weights.narrow(0, first, last - first);
      at::_softmax_out(part, scores.narrow(0, first, last - first), -1, false);
    }
  }
};

template <class Row>
void read_rows(const Read& read, const BagFunctions<Row, float>& bags, const at::Tensor& table,
               const at::Tensor& output) {
  const int64_t entries = read.shape.heads * read.shape.k, dim = table.size(1);
  const BagProblem<Row, float> bag{.bag_size = entries,
                                   .value_dim = dim,
                                   .table = static_cast<const Row*>(table.const_data_ptr()),
                                   .slots = read.slots.const_data_ptr<int64_t>()};
  const float* weights = read.weights.const_data_ptr<float>();
  auto* out = static_cast<Row*>(output.mutable_data_ptr());
  const int64_t products = read.shape.heads * (2 * read.shape.padded_keys() * read.shape.half_dim + kRankedProducts);
  const int64_t grain = std::max<int64_t>(1, kProductsPerTask / (products + entries * dim));
  at::parallel_for(0, output.size(0), grain, [&](int64_t first, int64_t last) {
    const at::AutoDispatchBelowADInplaceOrView below;
    read.select(first, last);
    read.weigh(first, last);
    bags.forward(bag, weights, out, Scratch::of(scratch().sum, dim + kBagPad), first, last);
  });
}

/// Whether the CPU goes token by token.
bool is_small(const TopKShape& shape, const at::Tensor& query, const at::Tensor& table) {
  return query.scalar_type() == at::kFloat && table.scalar_type() != at::kDouble &&
         shape.heads * 2 * shape.padded_keys() * shape.half_dim <= kSmallProducts;
}

void check_read(const TopKShape& shape, const at::Tensor& query, const MaybeTensor& norm_weight,
                const at::Tensor& table) {
  base::check(table.dim() == 2 && known_dtype(table.scalar_type()) && table.is_contiguous() &&
                  table.size(0) == shape.num_sub_keys * shape.num_sub_keys &&
                  weight_dtype(table) == query.scalar_type() && table.device() == query.device(),
              "read_memory: table must be contiguous [", shape.num_sub_keys * shape.num_sub_keys,
              ", D] for a query of ", query.dtype(), " on ", query.device(), ", got ", table.sizes(), " ",
              table.dtype(), " on ", table.device());
  base::check(!norm_weight || (norm_weight->sizes() == at::IntArrayRef({2, shape.half_dim}) &&
                               norm_weight->scalar_type() == query.scalar_type()),
              "read_memory: norm_weight must be [2, ", shape.half_dim, "] ", query.dtype(), ", got ",
              norm_weight ? base::concat(norm_weight->sizes(), " ", norm_weight->dtype()) : "");
}

at::Tensor read_cpu(const at::Tensor& query, const MaybeTensor& norm_weight, double eps, const at::Tensor& panels,
                    int64_t heads, int64_t num_sub_keys, int64_t k, const at::Tensor& table) {
  const TopKShape shape = check_packed(query, panels, heads, num_sub_keys, k);
  check_read(shape, query, norm_weight, table);
  if (!is_small(shape, query, table)) {
    return read_memory_reference(query, norm_weight, eps, {panels, heads, num_sub_keys}, k, table);
  }
  const at::Tensor queries = query.contiguous(), norm = norm_weight ? norm_weight->contiguous() : at::Tensor();
  const at::Tensor scores = at::empty({query.size(0), heads, k}, queries.options());
  const Read read{.shape = shape,
                  .query = queries.const_data_ptr<float>(),
                  .norm_weight = norm.defined() ? norm.const_data_ptr<float>() : nullptr,
                  .eps = eps,
                  .panels = panels.const_data_ptr<float>(),
                  .scores = scores,
                  .weights = at::empty(scores.sizes(), scores.options()),
                  .slots = at::empty(scores.sizes(), scores.options().dtype(at::kLong))};
  at::Tensor output = at::empty({query.size(0), table.size(1)}, table.options());
  if (table.scalar_type() == at::kBFloat16) {
    read_rows<uint16_t>(read, bag_kernel().bfloat16, table, output);
  } else {
    read_rows<float>(read, bag_kernel().float32, table, output);
  }
  return output;
}

at::Tensor read_composed(const at::Tensor& query, const MaybeTensor& norm_weight, double eps, const at::Tensor& panels,
                         int64_t heads, int64_t num_sub_keys, int64_t k, const at::Tensor& table) {
  check_read(check_packed(query, panels, heads, num_sub_keys, k), query, norm_weight, table);
  return read_memory_reference(query, norm_weight, eps, {panels, heads, num_sub_keys}, k, table);
}

}  // namespace

at::Tensor read_memory(const at::Tensor& query, const MaybeTensor& norm_weight, double eps,
                       const PackedSubKeys& sub_keys, int64_t k, const at::Tensor& table) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::read_memory", "").typed<decltype(read_composed)>();
  return op.call(query, norm_weight, eps, sub_keys.panels, sub_keys.heads, sub_keys.num_sub_keys, k, table);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def(
      "read_memory(Tensor query, Tensor? norm_weight, float eps, Tensor panels, int heads, int num_sub_keys, int k, "
      "Tensor table) -> Tensor");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) { library.impl("read_memory", read_cpu); }
TORCH_LIBRARY_IMPL(memlayers, CUDA, library) { library.impl("read_memory", read_composed); }

}  // namespace memlayers::ops
