#include "profiling/profile_steps.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

namespace memlayers::profiling {
namespace {

training::TrainConfig tiny_config() {
  training::TrainConfig config;
  config.model.vocab_size = 50;
  config.model.hidden_size = 32;
  config.model.intermediate_size = 64;
  config.model.num_hidden_layers = 2;
  config.model.num_attention_heads = 2;
  config.model.max_position_embeddings = 64;
  config.model.memory.layers = {1};
  config.model.memory.num_sub_keys = 16;
  config.model.memory.heads = 2;
  config.model.memory.top_k = 4;
  config.model.memory.query_batch_norm = true;
  config.data.seq_len = 32;
  config.data.batch_size = 2;
  config.dtype = model::ComputeDtype::kFloat32;
  base::override_config(config, {});
  return config;
}

const at::Tensor& tokens() {
  static const at::Tensor made = at::arange(66, at::kLong).remainder(50).view({2, 33});
  return made;
}

TEST(TrainingSteps, KeepTheSlotsTheyReadWhereAsked) {
  TrainingSteps training(tiny_config(), tokens);
  training.step();
  EXPECT_TRUE(training.reads().at(0).empty());
  training.keep_reads = true;
  training.step();
  training.step();
  ASSERT_EQ(training.reads().at(0).size(), 2u);
  EXPECT_EQ(training.reads()[0][0].sizes(), (std::vector<int64_t>{64, 8}));
}

TEST(FastestStep, SaysHowManyAreDone) {
  TrainingSteps training(tiny_config(), tokens);
  std::vector<int64_t> heard;
  fastest_step(training, 3, [&](int64_t done) { heard.push_back(done); });
  EXPECT_EQ(heard, (std::vector<int64_t>{1, 2, 3}));
}

TEST(FastestStep, FindsOperationsInsideOfTheStepsTime) {
  TrainingSteps training(tiny_config(), tokens);
  const TimedStep step = fastest_step(training, 3);
  double inside = 0;
  for (const auto& [name, op] : step.ops) {
    EXPECT_GE(op.seconds, 0) << name;
    inside += op.seconds;
  }
  EXPECT_GT(inside, 0.3 * step.parts.seconds());
  EXPECT_LE(inside, step.parts.seconds());
}

// An operation that a model takes often and no rule knows would hide among everything else.
TEST(FastestStep, KnowsTheOperationsOfAModelWithMemory) {
  TrainingSteps training(tiny_config(), tokens);
  training.step();  // before which no row is behind: on a busy machine it may be the fastest
  const TimedStep step = fastest_step(training, 3);
  std::set<std::string> groups;
  for (const auto& [name, op] : step.ops) {
    groups.insert(op.rule->group);
    EXPECT_STRNE(op.rule->group, "everything else") << name;
    EXPECT_TRUE(op.rule->work == nullptr || !op.calls.empty()) << name;
  }
  for (const char* group :
       {"matrix products", "attention", "selection", "bag", "row update", "bringing rows up to date", "norms",
        "activation", "loss", "embedding", "dense update", "elementwise and copies", "bookkeeping"}) {
    EXPECT_EQ(groups.count(group), 1u) << group;
  }
}

}  // namespace
}  // namespace memlayers::profiling
