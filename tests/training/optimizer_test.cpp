// The optimizer against its definitions: dense AdamW over every row, one full batch, torch's clip.
#include "training/optimizer.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "support/memory_fixture.h"
#include "support/tiny_run.h"

namespace memlayers::training {
namespace {

constexpr int64_t kSteps = 12;

OptimizerConfig optimizer_config() {
  OptimizerConfig config;
  config.learning_rate = 3e-3;
  config.table_learning_rate = 2e-2;
  config.warmup_steps = 2;
  config.clip = 0.5;
  config.table_clip = 0.05;
  return config;
}

model::ModelConfig model_config() {
  model::ModelConfig config = tests::tiny_model();
  config.vocab_size = 32;
  config.memory.layers = {0, 1};    // one table, two layers
  config.memory.num_sub_keys = 32;  // 1,024 slots: most stay untouched in a step
  config.memory.value_dropout = 0;
  config.validate();
  return config;
}

// One thread: the tensors are tiny, and the tests run beside others.
class OptimizerTest : public ::testing::Test {
 protected:
  OptimizerTest() { at::set_num_threads(1); }
};

/// [4, 13] token ids of a step; few different ones, so that many slots stay untouched in most steps.
at::Tensor batch(int64_t step) {
  return (at::arange(52, at::kLong).view({4, 13}) * (step % 5 + 1) + step).remainder(7 + step);
}

/// One step of `model`; the mean over `parts` equal parts of the batch.
GradientNorms train_step(model::Transformer& model, Optimizer& optimizer, int64_t step, int64_t parts = 1) {
  for (const at::Tensor& part : batch(step).chunk(parts)) (model.loss(part) / double(parts)).backward();
  const GradientNorms norms = optimizer.measure();
  optimizer.apply(norms);
  return norms;
}

void expect_equal_bits(const at::Tensor& a, const at::Tensor& b, const std::string& what) {
  EXPECT_TRUE(at::equal(a.detach(), b.detach()))
      << what << ": largest difference " << (a - b).abs().max().item<double>();
}

TEST_F(OptimizerTest, ClipFactorIsTorchsRule) {
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_NEAR(clip_factor(4, 1), 0.25, 1e-6);
  EXPECT_EQ(clip_factor(4, 0), 1);
}

// The other model's records are taken away from its optimizer, and its table updated by the dense definition instead.
TEST_F(OptimizerTest, ExactTableIsDenseAdamWBitForBit) {
  const OptimizerConfig config = optimizer_config();
  model::Transformer sparse(model_config(), 1), dense(model_config(), 1);
  Optimizer sparse_optimizer(sparse, config, kSteps, 1), dense_optimizer(dense, config, kSteps, 1);
  layers::LocalTable& table = layers::local_table(*dense.tables().at(0).table, "a test");
  table.set_keeper(nullptr);
  ops::RowState state = ops::make_row_state(table.weight(), ops::RowOptimizer::kExact);
  ops::RowUpdateOptions options;
  options.weight_decay = config.weight_decay;
  std::vector<double> rates;
  int64_t touched = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    train_step(sparse, sparse_optimizer, step);
    rates.push_back(config.peak_table_rate() * schedule_factor(config, step, kSteps));
    dense.loss(batch(step)).backward();
    const ops::RowGradient rows = ops::gather_row_gradient(table.take_records(), table.value_dim());
    dense_optimizer.apply(dense_optimizer.measure());
    const at::Tensor gradient = at::zeros_like(table.weight()).index_copy_(0, rows.rows, rows.values);
    options.grad_scale = clip_factor(std::sqrt(ops::squared_norm(rows)), config.table_clip);
    ops::dense_row_update(table.weight(), state, gradient, step + 1, rates, options);
    touched += rows.rows.numel();
  }
  EXPECT_LT(touched, kSteps * table.weight().size(0) / 2) << "nearly every row is touched in every step: proves little";
  EXPECT_GT(touched, kSteps * 10);
  sparse_optimizer.bring_tables_up_to_date();
  expect_equal_bits(tests::rows_of(*sparse.tables()[0].table), table.weight(), "table");
  for (size_t i = 0; i < dense.parameters().size(); ++i) {
    expect_equal_bits(*sparse.parameters()[i].tensor, *dense.parameters()[i].tensor, dense.parameters()[i].name);
  }
}

TEST_F(OptimizerTest, BringingTheTableUpToDateInBetweenChangesNothing) {
  model::Transformer often(model_config(), 1), once(model_config(), 1);
  Optimizer often_optimizer(often, optimizer_config(), kSteps, 1), once_optimizer(once, optimizer_config(), kSteps, 1);
  for (int64_t step = 0; step < kSteps; ++step) {
    train_step(often, often_optimizer, step);
    often_optimizer.bring_tables_up_to_date();
    train_step(once, once_optimizer, step);
  }
  once_optimizer.bring_tables_up_to_date();
  expect_equal_bits(tests::rows_of(*often.tables()[0].table), tests::rows_of(*once.tables()[0].table), "table");
}

TEST_F(OptimizerTest, MicroBatchesAddUpToTheFullBatch) {
  model::Transformer whole(model_config(), 1), parts(model_config(), 1);
  Optimizer whole_optimizer(whole, optimizer_config(), kSteps, 1),
      parts_optimizer(parts, optimizer_config(), kSteps, 1);
  for (int64_t step = 0; step < 4; ++step) {
    const GradientNorms expected = train_step(whole, whole_optimizer, step);
    const GradientNorms norms = train_step(parts, parts_optimizer, step, 4);
    EXPECT_NEAR(norms.dense, expected.dense, 1e-5 * expected.dense);
    EXPECT_NEAR(norms.tables, expected.tables, 1e-5 * expected.tables);
  }
}

TEST_F(OptimizerTest, LeavesNoKeeperBehind) {
  model::Transformer model(model_config(), 1);
  { Optimizer optimizer(model, optimizer_config(), kSteps, 1); }
  EXPECT_EQ(model.tables()[0].table->keeper(), nullptr);
  EXPECT_GT(model.loss(batch(0)).item<double>(), 0);
}

TEST_F(OptimizerTest, EveryTableKindLowersTheLossOfARepeatedBatch) {
  for (const auto& [kind, name] : enum_names(ops::RowOptimizer::kExact)) {
    OptimizerConfig config = optimizer_config();
    config.table_optimizer = kind;
    config.schedule = Schedule::kConstant;
    model::Transformer model(model_config(), 1);
    Optimizer optimizer(model, config, 30, 1);
    const at::Tensor before = tests::rows_of(*model.tables()[0].table).clone();
    const double first = model.loss(batch(3)).item<double>();
    for (int step = 0; step < 30; ++step) {
      model.loss(batch(3)).backward();
      optimizer.apply(optimizer.measure());
    }
    EXPECT_LT(model.loss(batch(3)).item<double>(), 0.8 * first) << name;
    EXPECT_FALSE(at::equal(before, tests::rows_of(*model.tables()[0].table))) << name;
  }
}

}  // namespace
}  // namespace memlayers::training
