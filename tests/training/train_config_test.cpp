#include "training/train_config.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace memlayers::training {
namespace {

std::string refusal(const TrainConfig& config) {
  try {
    config.optimizer.validate();
    config.validate();
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Schedule, IsThePapersLinearOneWithRateZeroInStepZero) {
  OptimizerConfig config;
  config.warmup_steps = 2;
  config.final_rate = 0.01;
  const double expected[] = {0, 0.5, 1, 0.835, 0.67, 0.505, 0.34, 0.175};
  for (int64_t step = 0; step < 8; ++step) EXPECT_NEAR(schedule_factor(config, step, 8), expected[step], 1e-12) << step;
  EXPECT_NEAR(schedule_factor(config, 8, 8), 0.01, 1e-12);
}

TEST(Schedule, CosineFallsHalfWayInTheMiddle) {
  OptimizerConfig config;
  config.schedule = Schedule::kCosine;
  config.warmup_steps = 10;
  config.final_rate = 0.1;
  EXPECT_DOUBLE_EQ(schedule_factor(config, 5, 110), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(config, 10, 110), 1);
  EXPECT_NEAR(schedule_factor(config, 60, 110), 0.55, 1e-12);
  EXPECT_NEAR(schedule_factor(config, 110, 110), 0.1, 1e-12);
  EXPECT_GT(schedule_factor(config, 20, 110), 0.97);
}

TEST(Schedule, ConstantStaysAtThePeakAfterTheWarmup) {
  OptimizerConfig config;
  config.schedule = Schedule::kConstant;
  config.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(schedule_factor(config, 1, 100), 0.25);
  EXPECT_DOUBLE_EQ(schedule_factor(config, 4, 100), 1);
  EXPECT_DOUBLE_EQ(schedule_factor(config, 99, 100), 1);
}

TEST(Schedule, WithoutWarmupBeginsAtThePeak) {
  OptimizerConfig config;
  config.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(schedule_factor(config, 0, 10), 1);
}

TEST(OptimizerConfig, TablesFollowTheRestUnlessTheyHaveTheirOwnNumbers) {
  OptimizerConfig config;
  config.learning_rate = 2e-3;
  config.weight_decay = 0.2;
  config.clip = 3;
  EXPECT_DOUBLE_EQ(config.peak_table_rate(), 2e-2);
  EXPECT_DOUBLE_EQ(config.decay_of_tables(), 0.2);
  EXPECT_DOUBLE_EQ(config.clip_of_tables(), 3);
  config.table_learning_rate = 4e-3;
  config.table_weight_decay = 0;
  config.table_clip = 0;
  EXPECT_DOUBLE_EQ(config.peak_table_rate(), 4e-3);
  EXPECT_DOUBLE_EQ(config.decay_of_tables(), 0);
  EXPECT_DOUBLE_EQ(config.clip_of_tables(), 0);
}

TEST(TrainConfig, DefaultsAreValid) { EXPECT_EQ(refusal({}), ""); }

TEST(TrainConfig, RefusesNumbersThatCannotBe) {
  const auto refused_with = [](auto change) {
    TrainConfig config;
    change(config);
    return refusal(config);
  };
  EXPECT_NE(refused_with([](auto& c) { c.steps = 0; }).find("steps"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.micro_batches = 3; }).find("divisor of 16"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.data.seq_len = 5000; }).find("max_position_embeddings"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.optimizer.learning_rate = 0; }).find("learning_rate"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.optimizer.beta2 = 1; }).find("beta2"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.optimizer.final_rate = 1.5; }).find("final_rate"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.log_every = 0; }).find("log_every"), std::string::npos);
  EXPECT_NE(refused_with([](auto& c) { c.output = ""; }).find("output"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::training
