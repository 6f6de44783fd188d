// The bag's sum and the gradient of its weights over rows of 1 to 8 KiB of a table far larger than the caches, and
// over the quickstart's, which nearly fits them.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "bench/catalog.h"
#include "bench/rotation.h"
#include "bench/table_memory.h"
#include "bench/torch_compositions.h"
#include "ops/memory_bag/memory_bag.h"
#include "ops/quantized_bag/quantized_rows.h"
#include "profiling/limits.h"

namespace memlayers::bench {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kSets = 4;

struct Shape {
  int64_t heads, top_k, value_dim, slots, tokens;
  at::ScalarType dtype;
  std::string distribution;

  int64_t bag() const { return heads * top_k; }
  int64_t row_bytes() const { return value_dim * row_bits(dtype) / 8; }
  bool quantized() const { return is_quantized(dtype); }

  /// Codes of eight bits are int8, of four bits uint8.
  static bool is_quantized(at::ScalarType dtype) { return dtype == at::kChar || dtype == at::kByte; }
  static int64_t row_bits(at::ScalarType dtype) { return dtype == at::kByte ? 4 : 8 * int64_t(at::elementSize(dtype)); }
};

const char* dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kChar:
      return "int8";
    case at::kByte:
      return "int4";
    case at::kBFloat16:
      return "bfloat16";
    default:
      return "float32";
  }
}

/// What one call reads: the slots of its turn, and weights and gradients in our dtype and in torch's, which is the
/// table's.
struct Turn {
  at::Tensor slots, weights, torch_weights, grad_output, torch_grad_output;
};

/// What all calls of a case read.
struct Inputs {
  at::Tensor table;   // of numbers, or of codes
  at::Tensor scales;  // of codes
  int64_t value_dim;
  Rotation<Turn> turns;
  TorchBag torch_bag;

  ops::QuantizedRows rows() const { return {table, scales, value_dim}; }
};

Inputs inputs_of(const Shape& shape, const TrainedReads& trained) {
  const at::ScalarType torch_dtype = shape.quantized() ? at::kFloat : shape.dtype;
  std::vector<Turn> turns;
  for (const at::Tensor& slots :
       slot_sets(shape.distribution, shape.slots, shape.tokens, shape.bag(), kSets, trained)) {
    const at::Tensor weights = at::rand({shape.tokens, shape.bag()}, at::kFloat);
    const at::Tensor grad_output = at::randn({shape.tokens, shape.value_dim}, at::kFloat);
    turns.push_back({slots, weights, weights.to(torch_dtype), grad_output, grad_output.to(torch_dtype)});
  }
  const int64_t row_length = shape.quantized() ? shape.row_bytes() : shape.value_dim;
  return {reading_table(shape.slots, row_length, shape.dtype),
          shape.quantized() ? at::rand({shape.slots}, at::kFloat) : at::Tensor(), shape.value_dim,
          Rotation<Turn>(std::move(turns)), TorchBag(shape.tokens, shape.bag())};
}

Rival gather_limit(const at::Tensor& table, Rotation<Turn> turns) {
  const int64_t ahead = profiling::best_ahead_bytes(table, turns.first().slots);
  return {"gather_limit", [=]() mutable { profiling::gather_rows(table, turns.next().slots, ahead); }};
}

/// Copies half as many bytes as the bags read, so that as many pass through memory.
Rival copy_limit(const at::Tensor& table, const Shape& shape) {
  const int64_t rows = std::min(shape.tokens * shape.bag() / 2, table.size(0));
  const at::Tensor target = at::zeros({rows, table.size(1)}, table.options());
  std::vector<at::Tensor> sources;
  for (int64_t part = 0; part < table.size(0) / rows; ++part) sources.push_back(table.narrow(0, part * rows, rows));
  Rotation<at::Tensor> source(std::move(sources));
  const int64_t repeats = std::max<int64_t>(1, shape.tokens * shape.bag() / 2 / rows);
  return {"copy_limit", [=]() mutable {
            for (int64_t i = 0; i < repeats; ++i) profiling::stream_copy(target, source.next());
          }};
}

/// What is timed: `call` with one turn after another.
template <class Call>
std::function<void()> with_turns(Inputs inputs, Call call) {
  return [inputs = std::move(inputs), call]() mutable { call(std::as_const(inputs), inputs.turns.next()); };
}

Workload forward(const Shape& shape, const TrainedReads& trained) {
  const Inputs inputs = inputs_of(shape, trained);
  Workload work;
  work.bytes = shape.tokens * shape.bag() * shape.row_bytes();
  if (shape.quantized()) {
    work.ours = with_turns(
        inputs, [](const Inputs& in, const Turn& turn) { ops::memory_bag(in.rows(), turn.slots, turn.weights); });
    work.rivals.push_back({"torch", with_turns(inputs, [](const Inputs& in, const Turn& turn) {
                             torch_dequantized_bag(in.table, in.scales, turn.slots, turn.weights);
                           })});
  } else {
    work.ours = with_turns(inputs, [](const Inputs& in, const Turn& turn) {
      const at::NoGradGuard no_grad;
      ops::memory_bag(in.table, turn.slots, turn.weights, nullptr);
    });
    work.rivals.push_back({"torch", with_turns(inputs, [](const Inputs& in, const Turn& turn) {
                             in.torch_bag.forward(in.table, turn.slots, turn.torch_weights);
                           })});
    work.rivals.push_back({"torch_gather", with_turns(inputs, [](const Inputs& in, const Turn& turn) {
                             torch_gather_bag(in.table, turn.slots, turn.torch_weights);
                           })});
  }
  work.rivals.push_back(gather_limit(inputs.table, inputs.turns));
  work.rivals.push_back(copy_limit(inputs.table, shape));
  return work;
}

Workload weight_gradient(const Shape& shape, const TrainedReads& trained) {
  const Inputs inputs = inputs_of(shape, trained);
  Workload work;
  work.bytes = shape.tokens * shape.bag() * shape.row_bytes();
  if (shape.quantized()) {
    work.ours = with_turns(inputs, [](const Inputs& in, const Turn& turn) {
      ops::memory_bag_weight_gradient(in.rows(), turn.slots, turn.grad_output);
    });
    work.rivals.push_back({"torch", with_turns(inputs, [](const Inputs& in, const Turn& turn) {
                             torch_dequantized_weight_gradient(in.table, in.scales, turn.slots, turn.grad_output);
                           })});
  } else {
    work.ours = with_turns(inputs, [](const Inputs& in, const Turn& turn) {
      ops::memory_bag_weight_gradient(in.table, turn.slots, turn.grad_output);
    });
    work.rivals.push_back({"torch", with_turns(inputs, [](const Inputs& in, const Turn& turn) {
                             in.torch_bag.weight_gradient(in.table, turn.slots, turn.torch_grad_output);
                           })});
  }
  work.rivals.push_back(gather_limit(inputs.table, inputs.turns));
  return work;
}

/// As large as asked for, but no more than a third of what the machine has to give.
int64_t slots_that_fit(int64_t wanted_bytes, int64_t row_bytes) {
  int64_t bytes = wanted_bytes;
  while (bytes > 64 * kMiB && bytes > available_bytes() / 3) bytes /= 2;
  return bytes / row_bytes;
}

std::vector<Shape> large_shapes(const CaseOptions& options) {
  const int64_t table_bytes = (options.quick ? 512 : 1024) * kMiB, read_bytes = (options.quick ? 16 : 128) * kMiB;
  std::vector<int64_t> row_sizes = {1024, 2048, 4096, 8192};
  if (options.quick) row_sizes = {1024, 4096};
  std::vector<Shape> all;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kChar, at::kByte}) {
    for (const int64_t row_bytes : row_sizes) {
      Shape shape{.heads = 4,
                  .top_k = 32,
                  .value_dim = 8 * row_bytes / Shape::row_bits(dtype),
                  .slots = 0,
                  .tokens = 0,
                  .dtype = dtype,
                  .distribution = ""};
      shape.tokens = read_bytes / row_bytes / shape.bag();
      for (const char* distribution : {kUniform, kZipf}) {
        if (options.quick && distribution == kZipf) continue;
        shape.distribution = distribution;
        shape.slots = slots_that_fit(table_bytes, row_bytes);
        all.push_back(shape);
      }
      if (!options.trained.slots.defined()) continue;
      const TrainedReads& trained = options.trained;
      shape.heads = trained.heads;
      shape.top_k = trained.top_k;
      shape.slots = trained.num_slots;
      shape.tokens = read_bytes / row_bytes / shape.bag();
      shape.distribution = kTrained;
      if (shape.slots * row_bytes <= available_bytes() / 3) all.push_back(shape);
    }
  }
  return all;
}

/// A quantized table's torch composition is a gather and a product already.
std::vector<std::string> against_of(const Shape& shape, std::vector<std::string> against) {
  if (shape.quantized()) std::erase(against, "torch_gather");
  return against;
}

std::vector<Case> cases(const char* name, const CaseOptions& options, const std::vector<std::string>& against,
                        Workload (*make)(const Shape&, const TrainedReads&)) {
  std::vector<Shape> shapes = large_shapes(options);
  const Shape quickstart{.heads = 2,
                         .top_k = 16,
                         .value_dim = 64,
                         .slots = 65536,
                         .tokens = 1024,
                         .dtype = at::kFloat,
                         .distribution = kUniform};
  shapes.push_back(quickstart);
  const TrainedReads& trained = options.trained;
  if (trained.slots.defined() && trained.value_dim % 16 == 0) {  // whole cache lines, which the plain gather reads
    shapes.push_back({trained.heads, trained.top_k, trained.value_dim, trained.num_slots, 1024, at::kFloat, kTrained});
  }
  std::vector<Case> all;
  for (const Shape& shape : shapes) {
    all.push_back({name,
                   {{"S", shape.slots},
                    {"D", shape.value_dim},
                    {"H", shape.heads},
                    {"k", shape.top_k},
                    {"N", shape.tokens},
                    {"row_bytes", shape.row_bytes()}},
                   shape.distribution,
                   dtype_name(shape.dtype),
                   against_of(shape, against),
                   [=, reads = options.trained] { return make(shape, reads); }});
  }
  return all;
}

}  // namespace

std::vector<Case> bag_forward_cases(const CaseOptions& options) {
  return cases("bag_forward", options, {"torch", "torch_gather", "gather_limit", "copy_limit"}, forward);
}
std::vector<Case> bag_weight_gradient_cases(const CaseOptions& options) {
  return cases("bag_weight_gradient", options, {"torch", "gather_limit"}, weight_gradient);
}

}  // namespace memlayers::bench
