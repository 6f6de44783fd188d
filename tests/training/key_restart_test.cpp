#include "training/key_restart.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/tolerance.h"
#include "training/optimizer.h"

namespace memlayers::tests {
namespace {

struct Keys {
  at::Tensor keys, exp_avg, exp_avg_sq;  // [2, 2, 50, 4]

  Keys() {
    at::manual_seed(1);
    keys = at::randn({2, 2, 50, 4});
    exp_avg = at::randn({2, 2, 50, 4});
    exp_avg_sq = at::rand({2, 2, 50, 4}) + 0.5;
  }
};

TEST(KeyRestart, DeadIsWhatHasAThousandthOfItsHalfsGradient) {
  Keys given;
  EXPECT_FALSE(training::dead_sub_keys(given.exp_avg_sq).any().item<bool>());
  given.exp_avg_sq[1][0][7].fill_(0);
  given.exp_avg_sq[1][0][8].fill_(1e-4);
  given.exp_avg_sq[1][0][9].fill_(1e-2);
  given.exp_avg_sq[0].mul_(1e-6);  // another head's gradient is no measure of this one's
  const at::Tensor dead = training::dead_sub_keys(given.exp_avg_sq);
  EXPECT_EQ(dead.sum().item<int64_t>(), 2);
  EXPECT_TRUE(dead[1][0][7].item<bool>());
  EXPECT_TRUE(dead[1][0][8].item<bool>());
  EXPECT_FALSE(training::dead_sub_keys(at::zeros({2, 2, 50, 4})).any().item<bool>()) << "nothing has a gradient yet";
}

TEST(KeyRestart, MovesDeadSubKeysBesideLiveOnesAndNothingElse) {
  Keys given;
  given.exp_avg_sq.narrow(2, 20, 30).zero_();
  given.exp_avg_sq[0][1][3].fill_(1e6);  // the others are below a thousandth of the mean
  const at::Tensor keys = given.keys.clone(), exp_avg = given.exp_avg.clone(), exp_avg_sq = given.exp_avg_sq.clone();
  const at::Tensor dead = training::dead_sub_keys(exp_avg_sq);
  EXPECT_EQ(training::restart_dead_sub_keys(given.keys, given.exp_avg, given.exp_avg_sq, 5),
            dead.sum().item<int64_t>());
  EXPECT_TRUE(given.keys.index({~dead}).equal(keys.index({~dead})));
  EXPECT_TRUE(given.exp_avg.index({~dead}).equal(exp_avg.index({~dead})));
  EXPECT_EQ(given.exp_avg.index({dead}).abs().max().item<float>(), 0);
  EXPECT_EQ(given.exp_avg_sq.index({dead}).max().item<float>(), 0);
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t half = 0; half < 2; ++half) {
      const at::Tensor live = keys[head][half].index({~dead[head][half]}),
                       moved = given.keys[head][half].index({dead[head][half]});
      const at::Tensor distance = at::cdist(moved, live);
      const at::Tensor nearest = std::get<0>(distance.min(1)) / live.norm(2, 1).index({distance.argmin(1)});
      EXPECT_GT(nearest.min().item<float>(), 0);
      EXPECT_LT(nearest.mean().item<float>(), 0.4);  // the noise's length is 0.3 of the key's
    }
  }
  const at::Tensor hot = keys[0][1][3], around = given.keys[0][1].index({dead[0][1]});
  EXPECT_LT((around - hot).norm(2, 1).max().item<float>(), hot.norm().item<float>())
      << "all went to the one live sub-key";
}

TEST(KeyRestart, IsAFunctionOfTheKey) {
  const auto moved = [](uint64_t key) {
    Keys given;
    given.exp_avg_sq.narrow(2, 20, 30).zero_();
    training::restart_dead_sub_keys(given.keys, given.exp_avg, given.exp_avg_sq, key);
    return given.keys;
  };
  EXPECT_TRUE(bit_equal(moved(5), moved(5)));
  EXPECT_FALSE(moved(6).equal(moved(5)));
}

// Eight steps of a model whose queries all look one way: most sub-keys never meet one.
TEST(KeyRestart, TheOptimizerDoesItInTheFirstHalfOfTheRun) {
  model::ModelConfig config;
  config.vocab_size = 11;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.max_position_embeddings = 8;
  config.memory.layers = {0};
  config.memory.num_sub_keys = 16;
  config.memory.heads = 1;
  config.memory.top_k = 2;
  config.memory.key_dim = 4;
  training::OptimizerConfig rates;
  rates.warmup_steps = 0;
  rates.weight_decay = 0;  // so that a sub-key without a gradient stays as it was
  const auto keys_after = [&](int64_t every, int64_t steps) {
    model::Transformer model(config, 1);
    model.set_training(true);
    rates.restart_keys_every = every;
    training::Optimizer optimizer(model, rates, 8, 1);
    for (int64_t step = 0; step < steps; ++step) {
      model.loss(at::arange(2, at::kLong).view({1, 2})).backward();
      optimizer.apply(optimizer.measure());
    }
    for (const layers::Parameter& parameter : model.parameters()) {
      if (parameter.name.ends_with("sub_keys")) return parameter.tensor->detach().clone();
    }
    return at::Tensor();
  };
  const auto moved = [&](int64_t every, int64_t steps) {
    return (keys_after(every, steps) - keys_after(0, steps)).abs().amax(-1).gt(0.05).sum().item<int64_t>();
  };
  EXPECT_EQ(moved(2, 1), 0);
  EXPECT_GT(moved(2, 2), 10);
  EXPECT_EQ(moved(5, 8), 0) << "step 5 is in the second half";
}

}  // namespace
}  // namespace memlayers::tests
