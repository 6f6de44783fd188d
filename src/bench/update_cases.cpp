// The way from bag records to updated rows. Against what torch would do, and against itself on smaller tables: the time
// of a touched row must not depend on how many rows there are.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>

#include "bench/catalog.h"
#include "bench/rotation.h"
#include "bench/table_memory.h"
#include "bench/torch_compositions.h"
#include "ops/row_update/row_update.h"

namespace memlayers::bench {
namespace {

using ops::RowOptimizer;

constexpr AdamRates kRates;

struct Shape {
  int64_t slots, value_dim, tokens;
  RowOptimizer kind;
  std::string distribution;
  int64_t sets = 8;       // of slots, in turns
  int64_t step_size = 1;  // steps that pass between two calls: a row is seen again after sets * step_size of them
  int64_t heads = 4, top_k = 32;

  int64_t bag() const { return heads * top_k; }
};

/// A table, its optimizer's state, and how many steps it has seen. Both ways update the same memory in turns: only
/// their time matters here, and two sets of tables would halve the size that fits.
struct Trained {
  AdamTable table;
  ops::RowState state;
  at::Tensor buffer;  // of gradient rows, kept from step to step as training does
  std::vector<double> rates;
  int64_t step = 0;

  Trained(const Shape& shape) {
    table.weight = ops::allocate_rows(shape.slots, shape.value_dim, at::kFloat).fill_(0.5);
    state = ops::make_row_state(table.weight, shape.kind);
    table.exp_avg = state.exp_avg;
    table.exp_avg_sq = state.exp_avg_sq;
  }
  void next_step(int64_t size) {
    step += size;
    rates.resize(size_t(step), kRates.learning_rate);
  }
};

Rotation<ops::BagRecord> records_of(const Shape& shape, std::vector<at::Tensor> slot_sets) {
  std::vector<ops::BagRecord> records;
  for (const at::Tensor& slots : slot_sets) {
    records.push_back(
        {slots, at::rand(slots.sizes(), at::kFloat), at::randn({shape.tokens, shape.value_dim}, at::kFloat)});
  }
  return Rotation<ops::BagRecord>(std::move(records));
}

std::function<void()> our_update(const Shape& shape, std::shared_ptr<Trained> trained,
                                 Rotation<ops::BagRecord> records) {
  ops::RowUpdateOptions options;
  options.kind = shape.kind;
  options.weight_decay = kRates.weight_decay;
  auto update = [=]() mutable {
    const at::NoGradGuard no_grad;
    trained->next_step(shape.step_size);
    const ops::TouchedRows touched = ops::sort_records({records.next()}, shape.value_dim);
    const ops::RowGradient gradient = ops::sum_rows(touched, trained->buffer);
    ops::row_update(trained->table.weight, trained->state, gradient, trained->step, trained->rates, options);
  };
  // Every set once, so that rows have moments and a step they were last seen at.
  for (size_t i = 0; i < records.size(); ++i) update();
  return update;
}

Rival dense_rival(const Shape& shape, std::shared_ptr<Trained> trained, Rotation<ops::BagRecord> records) {
  const TorchBag torch_bag(shape.tokens, shape.bag());
  return {"torch", [=]() mutable {
            const at::NoGradGuard no_grad;
            trained->next_step(shape.step_size);
            const ops::BagRecord& record = records.next();
            torch_dense_step(trained->table,
                             torch_bag.table_gradient(shape.slots, record.slots, record.weights, record.grad_output),
                             trained->step, kRates);
          }};
}

Rival sparse_rival(const Shape& shape, std::shared_ptr<Trained> trained, Rotation<ops::BagRecord> records) {
  return {"torch_sparse", [=]() mutable {
            const at::NoGradGuard no_grad;
            trained->next_step(shape.step_size);
            const ops::BagRecord& record = records.next();
            torch_sparse_step(trained->table, record.slots, record.weights, record.grad_output, trained->step, kRates);
          }};
}

Workload against_torch(const Shape& shape, const TrainedReads& reads) {
  release_reading_table();
  const auto trained = std::make_shared<Trained>(shape);
  const auto records =
      records_of(shape, slot_sets(shape.distribution, shape.slots, shape.tokens, shape.bag(), shape.sets, reads));
  Workload work;
  work.ours = our_update(shape, trained, records);
  if (shape.kind == RowOptimizer::kExact) work.rivals.push_back(dense_rival(shape, trained, records));
  if (shape.kind == RowOptimizer::kLazy) work.rivals.push_back(sparse_rival(shape, trained, records));
  return work;
}

/// The same number of touched rows, each read twice, out of `shape.slots` and out of `smallest` rows.
Workload against_smaller(const Shape& shape, const Shape& smallest) {
  release_reading_table();
  const auto update_of = [](const Shape& each) {
    return our_update(each, std::make_shared<Trained>(each),
                      records_of(each, distinct_slot_sets(each.slots, each.tokens * each.bag() / 2, each.tokens,
                                                          each.bag(), each.sets)));
  };
  Workload work;
  work.ours = update_of(shape);
  work.rivals.push_back({"small_table", update_of(smallest)});
  return work;
}

nlohmann::ordered_json json_of(const Shape& shape) {
  return {{"S", shape.slots},  {"D", shape.value_dim},
          {"H", shape.heads},  {"k", shape.top_k},
          {"N", shape.tokens}, {"optimizer", shape.kind == RowOptimizer::kExact ? "exact" : "lazy"}};
}

bool fits(const Shape& shape, int64_t tables) {
  return tables * 4 * shape.slots * shape.value_dim < available_bytes() / 10 * 7;
}

void add_torch_cases(const CaseOptions& options, std::vector<Case>& all) {
  std::vector<Shape> shapes;
  for (const RowOptimizer kind : {RowOptimizer::kExact, RowOptimizer::kLazy}) {
    // Some 32,768 reads a step: a row of 2^20 is seen again after 32 steps.
    Shape shape{
        .slots = 1 << 20, .value_dim = 256, .tokens = 256, .kind = kind, .distribution = kUniform, .step_size = 4};
    if (options.quick)
      shape = {.slots = 1 << 16, .value_dim = 64, .tokens = 64, .kind = kind, .distribution = kUniform};
    shapes.push_back(shape);
    if (!options.quick) {
      shape.distribution = kZipf;
      shapes.push_back(shape);
    }
    if (!options.trained.slots.defined()) continue;
    const TrainedReads& trained = options.trained;
    shapes.push_back({.slots = trained.num_slots,
                      .value_dim = trained.value_dim,
                      .tokens = 1024,
                      .kind = kind,
                      .distribution = kTrained,
                      .heads = trained.heads,
                      .top_k = trained.top_k});
  }
  for (const Shape& shape : shapes) {
    if (!fits(shape, 4)) continue;  // weight, two moments, torch's dense gradient
    nlohmann::ordered_json described = json_of(shape);
    described["steps_between"] = shape.sets * shape.step_size;
    all.push_back({"bag_backward_update",
                   described,
                   shape.distribution,
                   "float32",
                   {shape.kind == RowOptimizer::kExact ? "torch" : "torch_sparse"},
                   [=, trained = options.trained] { return against_torch(shape, trained); }});
  }
}

/// Twice for `exact`: with as many skipped steps to replay for each row in every table, and with as many as uniform
/// reading leaves.
void add_scaling_cases(const CaseOptions& options, std::vector<Case>& all) {
  const int64_t dim = options.quick ? 32 : 128, smallest_slots = 1 << 16;
  constexpr int64_t kTokens = 256, kTouched = kTokens * 128 / 2, kStepsBetween = 32;
  const auto shape_of = [&](RowOptimizer kind, int64_t slots, int64_t steps_between) {
    const int64_t sets = std::min<int64_t>(slots / kTouched, 32);
    return Shape{.slots = slots,
                 .value_dim = dim,
                 .tokens = kTokens,
                 .kind = kind,
                 .distribution = kUniform,
                 .sets = sets,
                 .step_size = std::max<int64_t>(1, steps_between / sets)};
  };
  for (const RowOptimizer kind : {RowOptimizer::kLazy, RowOptimizer::kExact}) {
    for (const bool as_read : {false, true}) {
      if (as_read && (kind == RowOptimizer::kLazy || options.quick)) continue;
      for (const int64_t slots : {1 << 16, 1 << 18, 1 << 20, 1 << 22}) {
        if (options.quick && slots != 1 << 18) continue;
        const auto steps = [&](int64_t of) { return as_read ? of / kTouched : kStepsBetween; };
        const Shape shape = shape_of(kind, slots, steps(slots));
        const Shape smallest = shape_of(kind, smallest_slots, steps(smallest_slots));
        if (!fits(shape, 3)) continue;
        nlohmann::ordered_json described = json_of(shape);
        described["touched"] = kTouched;
        described["steps_between"] = shape.sets * shape.step_size;
        described["against_S"] = smallest_slots;
        described["against_steps_between"] = smallest.sets * smallest.step_size;
        all.push_back({"bag_backward_update", described, kUniform, "float32", {"small_table"}, [=] {
                         return against_smaller(shape, smallest);
                       }});
      }
    }
  }
}

}  // namespace

std::vector<Case> bag_backward_update_cases(const CaseOptions& options) {
  std::vector<Case> all;
  add_torch_cases(options, all);
  add_scaling_cases(options, all);
  return all;
}

}  // namespace memlayers::bench
