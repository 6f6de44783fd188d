// The bag's sum and the gradient of its weights over rows of 1 to 8 KiB of a table far larger than the caches, and
// over the quickstart's, which nearly fits them.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "bench/catalog.h"
#include "bench/rotation.h"
#include "bench/table_memory.h"
#include "bench/torch_compositions.h"
#include "ops/memory_bag/memory_bag.h"
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
  int64_t row_bytes() const { return value_dim * int64_t(at::elementSize(dtype)); }
};

/// What one call reads: the slots of its turn, and weights and gradients in our dtype and in the table's.
struct Turn {
  at::Tensor slots, weights, table_weights, grad_output, table_grad_output;
};

Rotation<Turn> turns_of(const Shape& shape, const TrainedReads& trained) {
  std::vector<Turn> turns;
  for (const at::Tensor& slots :
       slot_sets(shape.distribution, shape.slots, shape.tokens, shape.bag(), kSets, trained)) {
    const at::Tensor weights = at::rand({shape.tokens, shape.bag()}, at::kFloat);
    const at::Tensor grad_output = at::randn({shape.tokens, shape.value_dim}, at::kFloat);
    turns.push_back({slots, weights, weights.to(shape.dtype), grad_output, grad_output.to(shape.dtype)});
  }
  return Rotation<Turn>(std::move(turns));
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

Workload forward(const Shape& shape, const TrainedReads& trained) {
  const at::Tensor table = reading_table(shape.slots, shape.value_dim, shape.dtype);
  Rotation<Turn> turns = turns_of(shape, trained);
  const TorchBag torch_bag(shape.tokens, shape.bag());
  Workload work;
  work.bytes = shape.tokens * shape.bag() * shape.row_bytes();
  work.ours = [=]() mutable {
    const at::NoGradGuard no_grad;
    const Turn& turn = turns.next();
    ops::memory_bag(table, turn.slots, turn.weights, nullptr);
  };
  work.rivals.push_back({"torch", [=]() mutable {
                           const Turn& turn = turns.next();
                           torch_bag.forward(table, turn.slots, turn.table_weights);
                         }});
  work.rivals.push_back({"torch_gather", [=]() mutable {
                           const Turn& turn = turns.next();
                           torch_gather_bag(table, turn.slots, turn.table_weights);
                         }});
  work.rivals.push_back(gather_limit(table, turns));
  work.rivals.push_back(copy_limit(table, shape));
  return work;
}

Workload weight_gradient(const Shape& shape, const TrainedReads& trained) {
  const at::Tensor table = reading_table(shape.slots, shape.value_dim, shape.dtype);
  Rotation<Turn> turns = turns_of(shape, trained);
  const TorchBag torch_bag(shape.tokens, shape.bag());
  Workload work;
  work.bytes = shape.tokens * shape.bag() * shape.row_bytes();
  work.ours = [=]() mutable {
    const Turn& turn = turns.next();
    ops::memory_bag_weight_gradient(table, turn.slots, turn.grad_output);
  };
  work.rivals.push_back({"torch", [=]() mutable {
                           const Turn& turn = turns.next();
                           torch_bag.weight_gradient(table, turn.slots, turn.table_grad_output);
                         }});
  work.rivals.push_back(gather_limit(table, turns));
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
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t row_bytes : row_sizes) {
      Shape shape{.heads = 4,
                  .top_k = 32,
                  .value_dim = row_bytes / int64_t(at::elementSize(dtype)),
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

std::vector<Case> cases(const char* name, const CaseOptions& options, const std::vector<std::string>& against,
                        Workload (*make)(const Shape&, const TrainedReads&)) {
  std::vector<Shape> shapes = large_shapes(options);
  const Shape quickstart{.heads = 4,
                         .top_k = 8,
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
                   shape.dtype == at::kFloat ? "float32" : "bfloat16",
                   against,
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
