#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bench/catalog.h"
#include "bench/run.h"
#include "bench/twin_training.h"

namespace memlayers::bench {
namespace {

Twins tiny_twins() {
  training::TrainConfig config;
  config.model.vocab_size = 50;
  config.model.hidden_size = 32;
  config.model.intermediate_size = 64;
  config.model.num_hidden_layers = 2;
  config.model.num_attention_heads = 2;
  config.model.max_position_embeddings = 64;
  config.data.seq_len = 32;
  config.data.batch_size = 2;
  config.dtype = model::ComputeDtype::kFloat32;
  Twins twins{"tiny", config, config};
  twins.memory.model.memory.layers = {1};
  twins.memory.model.memory.num_sub_keys = 64;
  twins.memory.model.memory.heads = 2;
  twins.memory.model.memory.top_k = 4;
  return twins;
}

CaseOptions tiny_options() {
  CaseOptions options;
  options.quick = true;
  options.twins = {tiny_twins()};
  return options;
}

const RunOptions kBrief = {
    .measure = {.seconds = 0, .min_pairs = 1, .max_pairs = 1, .sample = 0}, .threads = 1, .progress = false};

TEST(TrainMemory, StaysWithinWhatTableStateAndTouchedRowsAllow) {
  const RunOutcome outcome = run(train_memory_cases(tiny_options()), kBrief);
  EXPECT_EQ(outcome.failures, std::vector<std::string>{});
  ASSERT_EQ(outcome.results.size(), 2u);  // as it is, and with sixteen times the rows
  for (const Result& result : outcome.results) {
    EXPECT_GE(result.more["peak_bytes"], result.more["kept_bytes"]);
    EXPECT_LE(result.more["peak_bytes"], result.more["limit_bytes"]);
    EXPECT_GT(result.more["touched_rows"], 0);
  }
  // 65,536 rows of 128 bytes: one temporary of that size is all that would be needed to break the bound.
  const auto& large = outcome.results[1].more;
  EXPECT_LT(large["limit_bytes"].get<int64_t>() - large["peak_bytes"].get<int64_t>(),
            large["table_bytes"].get<int64_t>());
}

TEST(TrainStep, SaysWhereTheTimeOfAStepGoes) {
  const RunOutcome outcome = run(train_step_cases(tiny_options()), kBrief);
  ASSERT_EQ(outcome.results.size(), 1u);
  const auto& more = outcome.results[0].more;
  for (const char* part : {"forward", "backward", "row_gradient_and_norms", "update"}) {
    EXPECT_GT(more["parts"][part], 0) << part;
    EXPECT_GT(more["against_parts"][part], 0) << part;
  }
  double whole = 0;
  for (const auto& [name, seconds] : more["parts"]["ops"].items()) whole += seconds.get<double>();
  double parts = 0;
  for (const char* part : {"forward", "backward", "row_gradient_and_norms", "update"})
    parts += more["parts"][part].get<double>();
  EXPECT_NEAR(whole, parts, 0.05 * parts);
}

TEST(Decode, IsComparedAtBatchesOfOneAndSixteen) {
  const RunOutcome outcome = run(decode_cases(tiny_options()), kBrief);
  ASSERT_EQ(outcome.results.size(), 2u);
  EXPECT_EQ(outcome.results[0].shape["B"], 1);
  EXPECT_EQ(outcome.results[1].shape["B"], 16);
  EXPECT_EQ(outcome.results[1].tokens, 16 * 8);
  EXPECT_EQ(outcome.results[1].against, "dense_twin");
}

TEST(TrainingOn, LearnsTheDrawnTokens) {
  const training::TrainConfig config = benchable(tiny_twins().memory, "");
  const auto training = training_on(config, drawn_batches(config));
  const at::Tensor batch = at::arange(66, at::kLong).remainder(50).view({2, 33});
  EXPECT_EQ(training->touched_rows(), 0);
  const double before = training->model().loss(batch).item<double>();
  for (int i = 0; i < 3; ++i) training->step();
  EXPECT_GT(training->touched_rows(), 0);
  EXPECT_NE(training->model().loss(batch).item<double>(), before);
}

}  // namespace
}  // namespace memlayers::bench
