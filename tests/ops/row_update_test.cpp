#include "ops/row_update/row_update.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "ops/row_update/row_update_reference.h"
#include "support/allocations.h"
#include "support/ordered_dot.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr RowOptimizer kKinds[] = {RowOptimizer::kExact, RowOptimizer::kLazy, RowOptimizer::kRowwise,
                                   RowOptimizer::kSgd};

/// A table with its optimizer.
struct Trained {
  at::Tensor table;
  RowState state;
  RowUpdateOptions options;

  Trained(const at::Tensor& start, const RowUpdateOptions& with)
      : table(start.clone()), state(make_row_state(start, with.kind)), options(with) {}

  void update(const RowGradient& gradient, int64_t step, const std::vector<double>& rates) {
    row_update(table, state, gradient, step, rates, options);
  }
  void update_dense(const at::Tensor& gradient, int64_t step, const std::vector<double>& rates) {
    dense_row_update(table, state, gradient, step, rates, options);
  }
  void catch_up(int64_t step, const std::vector<double>& rates) {
    bring_all_up_to_date(table, state, step, rates, options);
  }
};

::testing::AssertionResult same(const Trained& actual, const Trained& expected) {
  if (auto equal = bit_equal(actual.table, expected.table); !equal) return equal << " (table)";
  if (auto equal = bit_equal(actual.state.exp_avg, expected.state.exp_avg); !equal) return equal << " (exp_avg)";
  return bit_equal(actual.state.exp_avg_sq, expected.state.exp_avg_sq) << " (exp_avg_sq)";
}

/// Warm-up, then decay, with a pause at rate zero.
std::vector<double> schedule(int64_t steps) {
  std::vector<double> rates;
  for (int64_t s = 1; s <= steps; ++s) {
    const double progress = double(s) / double(steps);
    rates.push_back(s % 17 == 0 ? 0.0 : 4e-3 * std::min(1.0, double(s) / 10) * (1.05 - progress));
  }
  return rates;
}

/// Every row is touched with the given probability; gradients of very different size.
RowGradient random_gradient(int64_t num_slots, int64_t dim, double probability, double size) {
  const at::Tensor rows = (at::rand({num_slots}) < probability).nonzero().flatten();
  return {rows, at::randn({rows.size(0), dim}) * size};
}

at::Tensor dense(const RowGradient& gradient, int64_t num_slots) {
  return at::zeros({num_slots, gradient.values.size(1)}).index_copy(0, gradient.rows, gradient.values);
}

float bfloat16_up_or_down(float value, uint32_t random) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + random) & 0xFFFF0000);
}

/// The documented random bits of an element.
uint32_t random_bits(const RowUpdateOptions& options, int64_t step, int64_t row, int64_t column, int64_t dim) {
  const uint64_t group = uint64_t(row * ((dim + 127) / 128) + column / 128);
  const int64_t c = column % 128;
  const auto words =
      base::philox(options.seed, group * 16 + uint64_t(c % 16), options.table_index << 40 | uint64_t(step));
  return words[static_cast<size_t>(c / 16 % 4)] >> (c / 64 * 16) & 0xFFFF;
}

/// AdamW in plain loops, float32, the operations in the order in which the kernel is documented to make them.
void adamw_definition(Trained& trained, const at::Tensor& gradient, int64_t step, double rate) {
  const RowUpdateOptions& o = trained.options;
  const float step_size = float(rate / (1 - std::pow(o.beta1, double(step))));
  const float inverse_bias = float(1 / std::sqrt(1 - std::pow(o.beta2, double(step))));
  const float decay = float(1 - rate * o.weight_decay), eps = float(o.eps), scale = float(o.grad_scale);
  const float beta1 = float(o.beta1), rest1 = float(1 - o.beta1), beta2 = float(o.beta2), rest2 = float(1 - o.beta2);
  const int64_t dim = trained.table.size(1);
  at::Tensor wide = trained.table.to(at::kFloat);
  float *w = wide.mutable_data_ptr<float>(), *m = trained.state.exp_avg.mutable_data_ptr<float>(),
        *v = trained.state.exp_avg_sq.mutable_data_ptr<float>();
  for (int64_t e = 0; e < wide.numel(); ++e) {
    const float g = gradient.const_data_ptr<float>()[e] * scale;
    m[e] = beta1 * m[e] + rest1 * g;
    v[e] = beta2 * v[e] + rest2 * g * g;
    w[e] = w[e] * decay - step_size * (m[e] / (std::sqrt(v[e]) * inverse_bias + eps));
    if (trained.table.scalar_type() == at::kBFloat16) {
      w[e] = bfloat16_up_or_down(w[e], random_bits(o, step, e / dim, e % dim, dim));
    }
  }
  trained.table.copy_(wide);
}

/// One rowwise step in plain loops, the squares of a row added in the order of column_blocks.h.
void rowwise_definition(Trained& trained, const RowGradient& gradient, int64_t step, double rate) {
  const RowUpdateOptions& o = trained.options;
  const float inverse_bias = float(1 / std::sqrt(1 - std::pow(o.beta2, double(step))));
  const float decay = float(1 - rate * o.weight_decay), eps = float(o.eps), beta2 = float(o.beta2);
  const int64_t dim = trained.table.size(1);
  const at::Tensor scaled = gradient.values * float(o.grad_scale);
  at::Tensor wide = trained.table.to(at::kFloat);
  for (int64_t u = 0; u < gradient.rows.size(0); ++u) {
    const int64_t row = gradient.rows.const_data_ptr<int64_t>()[u];
    const float* g = scaled.const_data_ptr<float>() + u * dim;
    float& v = trained.state.exp_avg_sq.mutable_data_ptr<float>()[row];
    v = beta2 * v + float(1 - o.beta2) * (tests::ordered_dot(g, g, dim) / float(dim));
    const float divisor = std::sqrt(v) * inverse_bias + eps;
    for (int64_t c = 0; c < dim; ++c) {
      float& w = wide.mutable_data_ptr<float>()[row * dim + c];
      w = w * decay - float(rate) * (g[c] / divisor);
      if (trained.table.scalar_type() == at::kBFloat16) {
        w = bfloat16_up_or_down(w, random_bits(o, step, row, c, dim));
      }
    }
  }
  trained.table.copy_(wide);
}

TEST(DenseRowUpdate, EqualsAdamWInPlainLoops) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (int64_t dim : {1, 5, 16, 33, 128, 150}) {
      at::manual_seed(uint64_t(dim));
      const at::Tensor start = (at::randn({9, dim}) * 0.1).to(dtype);
      const RowUpdateOptions options{.grad_scale = 0.7, .seed = 5, .table_index = 3};
      Trained kernel(start, options), definition(start, options);
      const std::vector<double> rates = schedule(12);
      for (int64_t step = 1; step <= 12; ++step) {
        const at::Tensor gradient = at::randn({9, dim}) * 1e-2;
        kernel.update_dense(gradient, step, rates);
        adamw_definition(definition, gradient, step, rates[step - 1]);
      }
      EXPECT_TRUE(same(kernel, definition)) << "D " << dim << " " << dtype;
    }
  }
}

TEST(RowUpdate, ExactEqualsDenseAdamWBitForBit) {
  for (uint64_t seed : tests::seeds(2)) {
    SCOPED_TRACE(tests::seed_note(seed));
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      for (double weight_decay : {0.0, 0.1}) {
        for (int64_t dim : {1, 20, 128, 131}) {
          at::manual_seed(seed);
          const int64_t num_slots = 40, steps = 50;
          const RowUpdateOptions options{.weight_decay = weight_decay, .grad_scale = 0.9, .seed = seed};
          const at::Tensor start = (at::randn({num_slots, dim}) * 0.05).to(dtype);
          Trained sparse(start, options), dense_sweep(start, options);
          const std::vector<double> rates = schedule(steps);
          for (int64_t step = 1; step <= steps; ++step) {
            const RowGradient gradient = random_gradient(num_slots, dim, step % 5 == 0 ? 0.0 : 0.15, 1e-3);
            sparse.update(gradient, step, rates);
            dense_sweep.update_dense(dense(gradient, num_slots), step, rates);
            if (step % 20 == 0) {
              const at::Tensor some = at::randint(num_slots, {30}, at::kLong);  // with repeats
              bring_rows_up_to_date(sparse.table, sparse.state, some, step, rates, options);
              EXPECT_TRUE(bit_equal(sparse.table.index_select(0, some), dense_sweep.table.index_select(0, some)));
            }
          }
          sparse.catch_up(steps, rates);
          EXPECT_TRUE(same(sparse, dense_sweep)) << dtype << " decay " << weight_decay << " D " << dim;
          EXPECT_TRUE(sparse.state.last_step.eq(steps).all().item<bool>());
        }
      }
    }
  }
}

// Long pauses go through every shortcut of the replay: elements that no longer move, moments that only decay, moments
// stuck at denormal fixed points, rows never touched; and rows where a shortcut is not allowed (weights zero or tiny).
TEST(RowUpdate, ExactEqualsDenseAdamWAfterThousandsOfSkippedSteps) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (double weight_decay : {0.0, 0.1, 300.0}) {
      at::manual_seed(11);
      const int64_t num_slots = 12, dim = 19, steps = 2600;
      at::Tensor start = at::randn({num_slots, dim}) * 0.05;
      start[1].zero_();
      start[2].mul_(1e-30);
      start[3].mul_(1e6);
      start[4].mul_(1e-41);
      start[5].fill_(-0.0);
      const RowUpdateOptions options{.weight_decay = weight_decay, .seed = 2};
      Trained sparse(start.to(dtype), options), dense_sweep(start.to(dtype), options);
      const std::vector<double> rates = schedule(steps);
      for (int64_t step = 1; step <= steps; ++step) {
        RowGradient gradient{at::empty({0}, at::kLong), at::empty({0, dim})};
        if (step <= 2 || step == 120 || step == 900) {
          gradient = {at::arange(8, at::kLong), at::randn({8, dim}) * std::pow(10.0, double(-step % 7))};
        }
        sparse.update(gradient, step, rates);
        dense_sweep.update_dense(dense(gradient, num_slots), step, rates);
        if (step == 500) sparse.catch_up(step, rates);
      }
      sparse.catch_up(steps, rates);
      EXPECT_TRUE(same(sparse, dense_sweep)) << dtype << " decay " << weight_decay;
    }
  }
}

TEST(RowUpdate, CatchingUpInPartsEqualsCatchingUpAtOnce) {
  at::manual_seed(12);
  const std::vector<double> rates = schedule(400);
  const RowGradient gradient = random_gradient(10, 30, 1.0, 1e-2);
  Trained parts(at::randn({10, 30}), {}), once = parts;
  once.table = parts.table.clone();
  once.state = make_row_state(once.table, RowOptimizer::kExact);
  parts.update(gradient, 1, rates);
  once.update(gradient, 1, rates);
  for (int64_t step : {2, 3, 10, 47, 200, 200, 399, 400}) parts.catch_up(step, rates);
  once.catch_up(400, rates);
  EXPECT_TRUE(same(parts, once));
}

TEST(RowUpdate, EveryKindAgreesWithTheReferenceInDouble) {
  for (RowOptimizer kind : kKinds) {
    at::manual_seed(13);
    const int64_t num_slots = 30, dim = 21, steps = 30;
    const RowUpdateOptions options{.kind = kind, .grad_scale = 0.5};
    const at::Tensor start = at::randn({num_slots, dim}) * 0.1;
    Trained trained(start, options);
    at::Tensor table = start.to(at::kDouble);
    RowState state = make_row_state(start, kind);
    for (at::Tensor* tensor : {&state.exp_avg, &state.exp_avg_sq}) {
      if (tensor->defined()) *tensor = tensor->to(at::kDouble);
    }
    const std::vector<double> rates = schedule(steps);
    for (int64_t step = 1; step <= steps; ++step) {
      const RowGradient gradient = random_gradient(num_slots, dim, 0.3, 1e-2);
      const at::Tensor touched = at::zeros({num_slots}, at::kBool).index_fill(0, gradient.rows, true);
      trained.update(gradient, step, rates);
      row_update_reference(table, state, dense(gradient, num_slots).to(at::kDouble), touched, step, rates[step - 1],
                           options);
    }
    trained.catch_up(steps, rates);
    // Each step rounds once relative to the weight and once relative to its change (at most some rates).
    const at::Tensor bound = tests::sum_bound(table.abs() + 0.1, steps);
    EXPECT_TRUE(tests::within(trained.table, table, bound)) << int(kind);
  }
}

TEST(RowUpdate, OnlyExactMovesUntouchedRows) {
  for (RowOptimizer kind : kKinds) {
    const at::Tensor start = at::randn({6, 10});
    Trained trained(start, {.kind = kind});
    const std::vector<double> rates(5, 1e-2);
    const RowGradient all{at::arange(6, at::kLong), at::randn({6, 10})},
        one{at::tensor({4}, at::kLong), at::randn({1, 10})};
    trained.update(all, 1, rates);
    const at::Tensor before = trained.table.clone();
    trained.update(one, 2, rates);
    const at::Tensor changed = (trained.table != before).any(1);
    EXPECT_EQ(changed.sum().item<int64_t>(), 1) << int(kind);
    EXPECT_TRUE(changed[4].item<bool>()) << int(kind);
    trained.catch_up(3, rates);
    const int64_t moved = (trained.table != before).any(1).sum().item<int64_t>();
    EXPECT_EQ(moved, kind == RowOptimizer::kExact ? 6 : 1) << int(kind);
  }
}

TEST(RowUpdate, SmallIntegersUnderSgdAreExact) {
  const at::Tensor start = at::arange(40, at::kFloat).view({4, 10});
  Trained trained(start, {.kind = RowOptimizer::kSgd, .weight_decay = 0, .grad_scale = 2});
  trained.update({at::tensor({1, 3}, at::kLong), at::ones({2, 10})}, 1, {0.25});
  at::Tensor expected = start.clone();
  expected[1] -= 0.5;
  expected[3] -= 0.5;
  EXPECT_TRUE(bit_equal(trained.table, expected));
}

TEST(RowUpdate, RowwiseScalesByTheRootOfTheRowsMeanSquare) {
  // g = (3, 4, 0, 0): mean square 6.25; at step 1 the bias correction restores it, so the divisor is 2.5.
  Trained trained(at::zeros({1, 4}), {.kind = RowOptimizer::kRowwise, .weight_decay = 0});
  trained.update({at::zeros({1}, at::kLong), at::tensor({3.0f, 4.0f, 0.0f, 0.0f}).view({1, 4})}, 1, {0.5});
  EXPECT_TRUE(at::allclose(trained.table, at::tensor({-0.6f, -0.8f, 0.0f, 0.0f}).view({1, 4}), 1e-6, 1e-6));
}

TEST(RowUpdate, RowwiseEqualsPlainLoopsInTheOrderOfTheBlocks) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (int64_t dim : {1, 15, 16, 17, 32, 48, 64, 100, 129, 144, 192, 256, 320, 1040, 2048}) {
      at::manual_seed(uint64_t(dim));
      const at::Tensor start = (at::randn({9, dim}) * 0.1).to(dtype);
      const RowUpdateOptions options{.kind = RowOptimizer::kRowwise, .grad_scale = 0.7, .seed = 5, .table_index = 3};
      Trained kernel(start, options), definition(start, options);
      const std::vector<double> rates = schedule(5);
      for (int64_t step = 1; step <= 5; ++step) {
        const RowGradient gradient = random_gradient(9, dim, 0.6, 1e-2);
        kernel.update(gradient, step, rates);
        rowwise_definition(definition, gradient, step, rates[step - 1]);
      }
      EXPECT_TRUE(same(kernel, definition)) << "D " << dim << " " << dtype;
    }
  }
}

TEST(RowUpdate, PermutingRowsPermutesTheResult) {
  at::manual_seed(14);
  const at::Tensor start = at::randn({20, 17}), order = at::randperm(20, at::kLong);
  for (RowOptimizer kind : kKinds) {
    Trained plain(start, {.kind = kind}), permuted(start.index_select(0, order), {.kind = kind});
    const std::vector<double> rates = schedule(6);
    for (int64_t step = 1; step <= 6; ++step) {
      const at::Tensor touched = (at::rand({20}) < 0.4), values = at::randn({20, 17});
      const at::Tensor rows = touched.nonzero().flatten(), moved = touched.index_select(0, order).nonzero().flatten();
      plain.update({rows, values.index_select(0, rows)}, step, rates);
      permuted.update({moved, values.index_select(0, order).index_select(0, moved)}, step, rates);
    }
    EXPECT_TRUE(bit_equal(permuted.table, plain.table.index_select(0, order))) << int(kind);
  }
}

// As training does it, with a buffer that is kept.
TEST(RowUpdate, OfSummedRowsHasTheBitsOfTheGatheredGradient) {
  at::manual_seed(8);
  for (const auto& [kind, name] : enum_names(RowOptimizer{})) {
    for (auto dtype : {at::kFloat, at::kBFloat16}) {
      for (int64_t dim : {5, 64, 700}) {
        SCOPED_TRACE(base::concat(name, " ", dtype, " D ", dim));
        at::Tensor table = at::randn({90, dim}).to(dtype), same = table.clone();
        RowState state = make_row_state(table, kind), same_state = make_row_state(table, kind);
        const RowUpdateOptions options{.kind = kind, .grad_scale = 0.7};
        at::Tensor buffer;
        for (int64_t step : {1, 2, 5}) {
          BagRecords records;
          for (int64_t tokens : {20, 0, 7}) {
            const at::Tensor slots = at::randint(90, {tokens, 4}, at::kLong);
            records.push_back({slots, at::randn({tokens, 4}), at::randn({tokens, dim})});
          }
          row_update(table, state, gather_row_gradient(records, dim), step, std::vector<double>(5, 0.01), options);
          row_update(same, same_state, sum_rows(sort_records(records, dim), buffer), step, std::vector<double>(5, 0.01),
                     options);
          EXPECT_TRUE(bit_equal(same, table));
        }
      }
    }
  }
}

TEST(RowUpdate, NoTouchedRowsChangeNothing) {
  for (RowOptimizer kind : kKinds) {
    const at::Tensor start = at::randn({3, 4});
    Trained trained(start, {.kind = kind});
    trained.update({at::empty({0}, at::kLong), at::empty({0, 4})}, 1, {0.1});
    EXPECT_TRUE(bit_equal(trained.table, start));
    Trained empty(at::empty({0, 4}), {.kind = kind});
    empty.update({at::empty({0}, at::kLong), at::empty({0, 4})}, 1, {0.1});
    empty.catch_up(1, {0.1});
  }
}

TEST(RowUpdate, MakesTensorsForTouchedRowsNotForTheTable) {
  const at::Tensor start = at::zeros({1 << 16, 8});
  const BagRecords records = {{at::randint(1 << 16, {4, 4}, at::kLong), at::randn({4, 4}), at::randn({4, 8})}};
  for (RowOptimizer kind : kKinds) {
    Trained trained(start, {.kind = kind});
    at::Tensor buffer;
    const tests::AllocationWatch watch;
    trained.update(sum_rows(sort_records(records, 8), buffer), 3, {0.1, 0.1, 0.1});
    bring_rows_up_to_date(trained.table, trained.state, at::arange(64, at::kLong), 4, {0.1, 0.1, 0.1, 0.1},
                          trained.options);
    EXPECT_GT(watch.largest_bytes(), 0u);
    EXPECT_LE(watch.largest_bytes(), size_t{64 * 8 * 4}) << int(kind);
  }
}

TEST(RowUpdate, RowsOfNoColumnsStayAsTheyAre) {
  for (RowOptimizer kind : kKinds) {
    Trained trained(at::empty({4, 0}), {.kind = kind});
    trained.update({at::tensor({0, 2}, at::kLong), at::empty({2, 0})}, 1, {0.1});
    trained.catch_up(1, {0.1});
    EXPECT_EQ(trained.table.numel(), 0);
    if (kind == RowOptimizer::kRowwise) {
      EXPECT_TRUE(trained.state.exp_avg_sq.eq(0).all().item<bool>());
    }
    if (kind == RowOptimizer::kExact) {
      EXPECT_TRUE(trained.state.last_step.eq(1).all().item<bool>());
    }
  }
}

TEST(RowUpdate, OptimizersInTurnDoNotTakeEachOthersScalars) {
  const at::Tensor start = at::randn({6, 5});
  const RowGradient gradient{at::tensor({1, 4}, at::kLong), at::randn({2, 5})};
  const RowUpdateOptions fast{}, slow{.beta1 = 0.5, .weight_decay = 0.3};
  std::vector<double> rates = schedule(40), other_rates = rates;
  other_rates[20] *= 3;  // another history, and the same numbers
  const auto alone = [&](const RowUpdateOptions& options, const std::vector<double>& of_steps) {
    Trained trained(start, options);
    for (int64_t step : {3, 30, 40}) trained.update(gradient, step, of_steps);
    trained.catch_up(40, of_steps);
    return trained;
  };
  const Trained expected[] = {alone(fast, rates), alone(slow, rates), alone(fast, other_rates)};
  Trained together[] = {{start, fast}, {start, slow}, {start, fast}};
  for (int64_t step : {3, 30, 40}) {
    for (int i = 0; i < 3; ++i) together[i].update(gradient, step, i == 2 ? other_rates : rates);
  }
  for (int i = 0; i < 3; ++i) {
    together[i].catch_up(40, i == 2 ? other_rates : rates);
    EXPECT_TRUE(same(together[i], expected[i])) << i;
  }
  EXPECT_FALSE(same(expected[0], expected[2]));
}

TEST(RowUpdate, DoesNotDependOnThreads) {
  const int before = at::get_num_threads();
  for (RowOptimizer kind : kKinds) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      std::vector<Trained> results;
      for (int threads : {1, 2}) {
        at::set_num_threads(threads);
        at::manual_seed(15);
        Trained trained(at::randn({300, 40}).to(dtype), {.kind = kind, .seed = 8});
        const std::vector<double> rates = schedule(8);
        for (int64_t step = 1; step <= 7; ++step) {
          trained.update(random_gradient(300, 40, 0.5, 1e-2), step, rates);
        }
        trained.catch_up(8, rates);
        results.push_back(trained);
      }
      EXPECT_TRUE(bit_equal(results[1].table, results[0].table)) << int(kind);
    }
  }
  at::set_num_threads(before);
}

// Stochastic rounding.

TEST(RowUpdate, StochasticRoundingKeepsTheMean) {
  // 1 and 1.0078125 are neighbors in bfloat16; 1 + 0.3 of their distance rounds up three times in ten.
  const int64_t rows = 2000, dim = 64;
  const double gap = 0.0078125, share = 0.3;
  Trained trained(at::ones({rows, dim}, at::kBFloat16), {.kind = RowOptimizer::kSgd, .weight_decay = 0, .seed = 3});
  trained.update({at::arange(rows, at::kLong), at::full({rows, dim}, -float(share * gap))}, 1, {1.0});
  const at::Tensor up = trained.table.to(at::kDouble).sub(1).div(gap);
  EXPECT_TRUE(up.eq(0).logical_or(up.eq(1)).all().item<bool>());
  const double deviation = std::sqrt(share * (1 - share) / double(rows * dim));
  EXPECT_NEAR(up.mean().item<double>(), share, 5 * deviation);
  // Also over rows for each column, and over columns for each row: no element shares another's bits.
  EXPECT_LT(up.mean(0).sub(share).abs().max().item<double>(), 5 * std::sqrt(share * (1 - share) / double(rows)));
  EXPECT_LT(up.mean(1).sub(share).abs().max().item<double>(), 5.5 * std::sqrt(share * (1 - share) / double(dim)));
}

TEST(RowUpdate, RoundingIsKeyedBySeedStepAndTable) {
  const auto table_after = [](uint64_t seed, int64_t step, uint64_t table_index) {
    Trained trained(at::ones({8, 32}, at::kBFloat16),
                    {.kind = RowOptimizer::kSgd, .weight_decay = 0, .seed = seed, .table_index = table_index});
    trained.update({at::arange(8, at::kLong), at::full({8, 32}, -0.004f)}, step, {1.0, 1.0});
    return trained.table;
  };
  EXPECT_TRUE(bit_equal(table_after(1, 1, 0), table_after(1, 1, 0)));
  EXPECT_FALSE(table_after(1, 1, 0).equal(table_after(2, 1, 0)));
  EXPECT_FALSE(table_after(1, 1, 0).equal(table_after(1, 2, 0)));
  EXPECT_FALSE(table_after(1, 1, 0).equal(table_after(1, 1, 1)));
}

TEST(RowUpdate, ANanStaysANan) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    Trained trained(at::ones({1, 3}, dtype), {});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    trained.update({at::zeros({1}, at::kLong), at::tensor({nan, -nan, 1.0f}).view({1, 3})}, 1, {0.1, 0.1, 0.1});
    trained.catch_up(3, {0.1, 0.1, 0.1});
    EXPECT_TRUE(trained.table.isnan().equal(at::tensor({1, 1, 0}).view({1, 3}).to(at::kBool))) << trained.table;
  }
}

// State and misuse.

TEST(RowUpdate, StateHoldsWhatTheKindNeeds) {
  const at::Tensor table = at::zeros({5, 3}, at::kBFloat16);
  const RowState exact = make_row_state(table, RowOptimizer::kExact), lazy = make_row_state(table, RowOptimizer::kLazy);
  const RowState rowwise = make_row_state(table, RowOptimizer::kRowwise),
                 sgd = make_row_state(table, RowOptimizer::kSgd);
  EXPECT_EQ(exact.exp_avg.scalar_type(), at::kFloat);
  EXPECT_EQ(exact.last_step.sizes(), (std::vector<int64_t>{5}));
  EXPECT_EQ(exact.last_step.scalar_type(), at::kInt);
  EXPECT_TRUE(lazy.exp_avg_sq.defined() && !lazy.last_step.defined());
  EXPECT_EQ(rowwise.exp_avg_sq.sizes(), (std::vector<int64_t>{5}));
  EXPECT_FALSE(rowwise.exp_avg.defined() || sgd.exp_avg.defined() || sgd.exp_avg_sq.defined());
  const RowState elsewhere = make_row_state(at::empty({5, 3}, at::kMeta), RowOptimizer::kExact);
  EXPECT_TRUE(elsewhere.exp_avg.is_meta() && elsewhere.exp_avg_sq.is_meta() && elsewhere.last_step.is_meta());
}

std::string usage_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(RowUpdate, MisuseIsToldInOneSentence) {
  Trained trained(at::zeros({5, 3}), {});
  const RowGradient one{at::tensor({2}, at::kLong), at::ones({1, 3})};
  const auto message = [&](const RowGradient& gradient, int64_t step, const std::vector<double>& rates) {
    return usage_error([&] { trained.update(gradient, step, rates); });
  };
  EXPECT_EQ(message(one, 2, {0.1}), "row_update: learning_rates must hold a rate for each of the 2 steps, got 1");
  EXPECT_NE(message(one, 0, {0.1}).find("step must be in [1, 2^31)"), std::string::npos);
  EXPECT_NE(
      message({at::tensor({2, 1}, at::kLong), at::ones({2, 3})}, 1, {0.1}).find("must ascend in [0, 5), got 1 after 2"),
      std::string::npos);
  EXPECT_NE(message({at::tensor({5}, at::kLong), at::ones({1, 3})}, 1, {0.1}).find("got 5"), std::string::npos);
  EXPECT_NE(message({one.rows, at::ones({1, 4})}, 1, {0.1}).find("[1, 3] float32"), std::string::npos);
  EXPECT_NE(message(one, 1, {-0.1}).find("learning rate of step 1"), std::string::npos);
  trained.update(one, 3, {0.1, 0.1, 0.1});
  EXPECT_EQ(message(one, 3, {0.1, 0.1, 0.1}), "row_update: row 2 has already seen step 3, cannot apply step 3");
  const at::Tensor outside = at::tensor({1, 7}, at::kLong);
  EXPECT_NE(usage_error([&] {
              bring_rows_up_to_date(trained.table, trained.state, outside, 3, {0.1, 0.1, 0.1}, trained.options);
            }).find("row 7 is outside the table"),
            std::string::npos);
  trained.state.exp_avg = at::Tensor();
  EXPECT_NE(message(one, 4, {1, 1, 1, 1}).find("state.exp_avg must be"), std::string::npos);
  trained.options.kind = RowOptimizer::kRowwise;
  EXPECT_NE(message(one, 4, {1, 1, 1, 1}).find("state.exp_avg_sq must be a contiguous [5]"), std::string::npos);
  EXPECT_NE(usage_error([] {
              make_row_state(at::zeros({2, 2}, at::kDouble), RowOptimizer::kSgd);
            }).find("float32 or bfloat16"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
