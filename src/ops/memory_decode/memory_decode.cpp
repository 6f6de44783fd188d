#include "ops/memory_decode/memory_decode.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "ops/kernel_choice.h"
#include "ops/memory_bag/memory_bag_cpu.h"
#include "ops/memory_decode/memory_decode_kernel.h"
#include "ops/product_key_topk/product_key_topk_checks.h"
#include "ops/rms_norm/rms_norm_kernel.h"
#include "ops/swiglu/swiglu_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

/// Products of a token up to which a layer is small. Larger ones want their heads and columns on several threads.
constexpr int64_t kSmallProducts = 1 << 17;
/// A thread is woken for as much work as so many products are; ranking a head's sub-keys counts as kRankedProducts.
constexpr int64_t kProductsPerTask = 1 << 16, kRankedProducts = 1 << 12;
/// Tokens that a thread takes through the layer together, so that a long prompt needs no more working memory than a
/// short one.
constexpr int64_t kTokensTogether = 64;

using MaybeTensor = std::optional<at::Tensor>;

struct Kernels {
  const DecodeKernel& decode;
  const RmsKernel& norm;
  const TopKKernel& topk;
  const SwigluKernel& swiglu;
};

const Kernels& kernels() {
  static const Kernels of_baseline{baseline::kDecodeKernel, baseline::kRmsKernel, baseline::kTopKKernel,
                                   baseline::kSwigluKernel};
  static const Kernels of_avx2{avx2::kDecodeKernel, avx2::kRmsKernel, avx2::kTopKKernel, avx2::kSwigluKernel};
  static const Kernels of_avx512{avx512::kDecodeKernel, avx512::kRmsKernel, avx512::kTopKKernel, avx512::kSwigluKernel};
  static const Kernels& chosen = choose_kernel("memory_decode", of_baseline, of_avx2, of_avx512);
  return chosen;
}

at::Tensor pack_projection_cpu(const at::Tensor& weight) {
  base::check(weight.dim() == 2 && weight.scalar_type() == at::kFloat,
              "pack_projection: weight must be [out, in] float32, got ", weight.sizes(), " ", weight.dtype());
  const at::Tensor rows = weight.contiguous();
  const TopKShape one_half{.num_sub_keys = rows.size(0), .half_dim = rows.size(1)};  // outputs lie as sub-keys do
  at::Tensor panels = at::empty({one_half.num_panels(), one_half.half_dim, kKeysPerPanel}, rows.options());
  kernels().topk.float32.pack_panels(one_half, rows.const_data_ptr<float>(), panels.mutable_data_ptr<float>(), 0,
                                     one_half.num_panels());
  return panels;
}

PanelProjection projection_of(const char* name, const at::Tensor& panels, const at::Tensor& bias, int64_t in) {
  base::check(bias.dim() == 1 && bias.scalar_type() == at::kFloat && bias.is_contiguous(), "decode_memory: ", name,
              "_bias must be contiguous [out] float32, got ", bias.sizes(), " ", bias.dtype());
  base::check(panels.sizes() == at::IntArrayRef({panels_of(bias.size(0)), in, kKeysPerPanel}) &&
                  panels.scalar_type() == at::kFloat && panels.is_contiguous(),
              "decode_memory: ", name, "_panels must come from pack_projection of [", bias.size(0), ", ", in,
              "] float32, got ", panels.sizes(), " ", panels.dtype());
  return {in, bias.size(0), panels.const_data_ptr<float>(), bias.const_data_ptr<float>()};
}

/// The selection's shape, of queries as long as their projection's bias.
TopKShape check_query_of(const at::Tensor& bias, const at::Tensor& key_panels, int64_t heads, int64_t num_sub_keys,
                         int64_t k) {
  base::check(heads >= 1 && bias.numel() % heads == 0, "decode_memory: query_bias must be [H * K] for H = ", heads,
              " heads, got ", bias.sizes());
  return check_packed(bias.reshape({1, heads, -1}), key_panels, heads, num_sub_keys, k);
}

/// A thread's working memory, kept from call to call.
struct Scratch {
  std::vector<float> queries, normed, roots, packed, gate, bag, numbers, sum;
  std::vector<uint16_t> narrow_bag;
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

/// One call. All arrays are contiguous.
struct Decode {
  TopKShape shape;
  PanelProjection query;
  std::optional<PanelProjection> gate, out;
  const float* query_scale = nullptr;  // or null
  double eps = 0;
  const float* sub_keys = nullptr;  // packed
  int64_t value_dim = 0;
  const float* x = nullptr;  // [N, d]
  float* output = nullptr;   // [N, d]
  float* weights = nullptr;  // [N, H * k]
  int64_t* slots = nullptr;  // [N, H * k]

  int64_t entries() const { return shape.heads * shape.k; }
  int64_t output_dim() const { return out ? out->out : value_dim; }
  int64_t products() const {
    const int64_t selection = shape.heads * (2 * shape.padded_keys() * shape.half_dim + kRankedProducts);
    return selection + (entries() + (gate ? gate->in : 0) + (out ? out->out : 0)) * value_dim + query.in * query.out;
  }

  void project(const PanelProjection& projection, const float* rows, int64_t count, float* y) const {
    kernels().decode.project(projection, rows, count, y, Scratch::of(scratch().packed, count * projection.in));
  }

  /// Queries of tokens [first, first + count).
  const float* make_queries(int64_t first, int64_t count) const {
    Scratch& mine = scratch();
    float* queries = Scratch::of(mine.queries, count * query.out);
    project(query, x + first * query.in, count, queries);
    if (query_scale == nullptr) return queries;
    float* normed = Scratch::of(mine.normed, count * query.out);
    const int64_t halves = count * shape.heads * 2;
    kernels().norm.float32.forward(
        {.size = shape.half_dim, .groups = 2, .eps = eps, .x = queries, .weight = query_scale}, normed,
        Scratch::of(mine.roots, halves), 0, halves);
    return normed;
  }

  /// Their slots and weights.
  void select(int64_t first, int64_t count) const {
    Scratch& mine = scratch();
    if (mine.shapes.k != shape.k) mine.shapes = make_pair_shapes(shape.k);
    const TopKScratchLayout layout(shape, std::min(shape.tokens_per_block(), count));
    const int64_t blocks = (count + layout.tokens - 1) / layout.tokens;
    float* scores = weights + first * entries();
    kernels().topk.float32.forward(shape, make_queries(first, count), sub_keys, scores, slots + first * entries(),
                                   layout, mine.shapes, Scratch::of(mine.numbers, layout.numbers),
                                   Scratch::of(mine.indices, layout.indices), count, 0, blocks * shape.heads);
    kernels().decode.softmax(scores, count * shape.heads, shape.k);
  }

  template <class Row>
  void read(const Row* table, const BagFunctions<Row, float>& bags, Row* y, int64_t first, int64_t count) const {
    const BagProblem<Row, float> bag{
        .bag_size = entries(), .value_dim = value_dim, .table = table, .slots = slots + first * entries()};
    bags.forward(bag, weights + first * entries(), y, Scratch::of(scratch().sum, value_dim + kBagPad), 0, count);
  }
  /// Their bags, in float32.
  void read_wide(const float* table, float* y, int64_t first, int64_t count) const {
    read(table, bag_kernel().float32, y, first, count);
  }
  void read_wide(const uint16_t* table, float* y, int64_t first, int64_t count) const {
    uint16_t* narrow = Scratch::of(scratch().narrow_bag, count * value_dim);
    read(table, bag_kernel().bfloat16, narrow, first, count);
    for (int64_t i = 0; i < count * value_dim; ++i) y[i] = at::BFloat16(narrow[i], at::BFloat16::from_bits());
  }

  template <class Row>
  void run(const Row* table, int64_t first, int64_t count) const {
    Scratch& mine = scratch();
    float* last = output + first * output_dim();
    float* y = out ? Scratch::of(mine.bag, count * value_dim) : last;
    select(first, count);
    read_wide(table, y, first, count);
    if (gate) {
      float* opened = Scratch::of(mine.gate, count * value_dim);
      project(*gate, x + first * gate->in, count, opened);
      kernels().swiglu.float32.forward(opened, y, y, 0, count * value_dim);
    }
    if (out) project(*out, y, count, last);
  }
};

template <class Row>
void run_all(const Decode& decode, const Row* table, int64_t tokens) {
  const int64_t grain = std::max<int64_t>(1, kProductsPerTask / decode.products());
  at::parallel_for(0, tokens, grain, [&](int64_t first, int64_t last) {
    for (; first < last; first += kTokensTogether) decode.run(table, first, std::min(kTokensTogether, last - first));
  });
}

using Decoded = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Decoded decode_cpu(const at::Tensor& x, const at::Tensor& query_panels, const at::Tensor& query_bias,
                   const MaybeTensor& query_scale, double eps, const at::Tensor& key_panels, int64_t heads,
                   int64_t num_sub_keys, int64_t k, const at::Tensor& table, const MaybeTensor& gate_panels,
                   const MaybeTensor& gate_bias, const MaybeTensor& out_panels, const MaybeTensor& out_bias) {
  base::check(x.dim() == 2 && x.scalar_type() == at::kFloat && x.is_contiguous() && x.is_cpu(),
              "decode_memory: x must be contiguous [N, d] float32 on the CPU, got ", x.sizes(), " ", x.dtype(), " on ",
              x.device());
  const int64_t tokens = x.size(0), hidden = x.size(1);
  Decode decode;
  decode.shape = check_query_of(query_bias, key_panels, heads, num_sub_keys, k);
  const int64_t rows = num_sub_keys * num_sub_keys;
  base::check(table.dim() == 2 && table.size(0) == rows && table.is_contiguous() && table.is_cpu() &&
                  (table.scalar_type() == at::kFloat || table.scalar_type() == at::kBFloat16),
              "decode_memory: table must be contiguous [", rows, ", D] float32 or bfloat16 on the CPU, got ",
              table.sizes(), " ", table.dtype(), " on ", table.device());
  decode.value_dim = table.size(1);
  decode.query = projection_of("query", query_panels, query_bias, hidden);
  base::check(!query_scale || (query_scale->sizes() == at::IntArrayRef({2, decode.shape.half_dim}) &&
                               query_scale->scalar_type() == at::kFloat && query_scale->is_contiguous()),
              "decode_memory: query_scale must be contiguous [2, ", decode.shape.half_dim, "] float32, got ",
              query_scale ? base::concat(query_scale->sizes(), " ", query_scale->dtype()) : "none");
  if (query_scale) decode.query_scale = query_scale->const_data_ptr<float>();
  decode.eps = eps;
  decode.sub_keys = key_panels.const_data_ptr<float>();
  base::check(gate_panels.has_value() == gate_bias.has_value() && out_panels.has_value() == out_bias.has_value(),
              "decode_memory: gate and out must have both panels and a bias, or neither");
  if (gate_panels) decode.gate = projection_of("gate", *gate_panels, *gate_bias, hidden);
  if (out_panels) decode.out = projection_of("out", *out_panels, *out_bias, decode.value_dim);
  base::check(!decode.gate || decode.gate->out == decode.value_dim,
              "decode_memory: gate must have D = ", decode.value_dim, " outputs, got ",
              decode.gate ? decode.gate->out : 0);
  base::check(decode.output_dim() == hidden, "decode_memory: the output must have d = ", hidden, " columns, got ",
              decode.output_dim(), decode.out ? " from out" : " of the table; add out, D -> d");
  const at::Tensor output = at::empty({tokens, hidden}, x.options());
  const at::Tensor weights = at::empty({tokens, decode.entries()}, x.options());
  const at::Tensor slots = at::empty(weights.sizes(), x.options().dtype(at::kLong));
  decode.x = x.const_data_ptr<float>();
  decode.output = output.mutable_data_ptr<float>();
  decode.weights = weights.mutable_data_ptr<float>();
  decode.slots = slots.mutable_data_ptr<int64_t>();
  if (table.scalar_type() == at::kFloat) {
    run_all(decode, table.const_data_ptr<float>(), tokens);
  } else {
    run_all(decode, static_cast<const uint16_t*>(table.const_data_ptr()), tokens);
  }
  return {output, slots, weights};
}

at::Tensor pack_projection(const at::Tensor& weight) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::pack_projection", "")
                             .typed<at::Tensor(const at::Tensor&)>();
  return op.call(weight);
}

/// Panels and bias as decode_memory takes them: tensors, or optional ones.
template <class MaybeOptional>
void pack_into(MaybeOptional& panels, MaybeOptional& bias, const char* name, const Projection& projection) {
  base::check(projection.weight.dim() == 2 && projection.bias.dim() == 1 &&
                  projection.bias.size(0) == projection.weight.size(0),
              "pack_memory: ", name, " must have a weight [out, in] and a bias [out], got ", projection.weight.sizes(),
              " and ", projection.bias.sizes());
  panels = pack_projection(projection.weight);
  bias = projection.bias.clone();
}

}  // namespace

PackedMemory pack_memory(const MemoryWeights& weights) {
  PackedMemory packed;
  pack_into(packed.query_panels, packed.query_bias, "query", weights.query);
  if (weights.query_scale) packed.query_scale = weights.query_scale->clone();
  packed.eps = weights.eps;
  packed.sub_keys = pack_sub_keys(weights.sub_keys);
  packed.k = weights.k;
  if (weights.gate) pack_into(packed.gate_panels, packed.gate_bias, "gate", *weights.gate);
  if (weights.out) pack_into(packed.out_panels, packed.out_bias, "out", *weights.out);
  return packed;
}

DecodedMemory decode_memory(const at::Tensor& x, const PackedMemory& memory, const at::Tensor& table) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::decode_memory", "").typed<decltype(decode_cpu)>();
  const PackedSubKeys& keys = memory.sub_keys;
  auto [output, slots, weights] = op.call(x, memory.query_panels, memory.query_bias, memory.query_scale, memory.eps,
                                          keys.panels, keys.heads, keys.num_sub_keys, memory.k, table,
                                          memory.gate_panels, memory.gate_bias, memory.out_panels, memory.out_bias);
  return {output, slots, weights};
}

bool decodes_at_once(int64_t hidden, int64_t heads, int64_t key_dim, int64_t num_sub_keys, int64_t value_dim,
                     int projections) {
  const TopKShape shape{.heads = heads, .num_sub_keys = num_sub_keys, .half_dim = key_dim / 2};
  return heads * key_dim * (shape.padded_keys() + hidden) + projections * hidden * value_dim <= kSmallProducts;
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def("pack_projection(Tensor weight) -> Tensor");
  library.def(
      "decode_memory(Tensor x, Tensor query_panels, Tensor query_bias, Tensor? query_scale, float eps, "
      "Tensor key_panels, int heads, int num_sub_keys, int k, Tensor table, Tensor? gate_panels, Tensor? gate_bias, "
      "Tensor? out_panels, Tensor? out_bias) -> (Tensor output, Tensor slots, Tensor weights)");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("pack_projection", pack_projection_cpu);
  library.impl("decode_memory", decode_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) { without_gradient(library, {"decode_memory", "pack_projection"}); }

}  // namespace memlayers::ops
