#include "generation/engine.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "generation/tiny_model.h"

namespace memlayers::generation {
namespace {

using Ids = std::vector<int64_t>;
using memlayers::testing::tiny_model;

/// Logits [T, V] of one sequence in one forward pass without a cache, in float64.
at::Tensor all_logits(model::Transformer& model, const Ids& ids) {
  const at::NoGradGuard no_grad;
  return model.forward(at::tensor(ids, at::kLong).unsqueeze(0)).squeeze(0).to(at::kDouble);
}

Ids greedy_by_hand(model::Transformer& model, Ids ids, int64_t count) {
  Ids said;
  for (int64_t i = 0; i < count; ++i) {
    said.push_back(all_logits(model, ids).select(0, -1).argmax().item<int64_t>());
    ids.push_back(said.back());
  }
  return said;
}

SamplingOptions tokens(int64_t count) {
  SamplingOptions options;
  options.max_new_tokens = count;
  return options;
}

TEST(Engine, GreedyIsTheArgmaxOfFullForwardPasses) {
  model::Transformer model = tiny_model();
  const std::vector<Ids> prompts = {{1, 5, 9}, {1, 7}, {1, 30, 2}, {1, 2, 3, 4, 5, 6, 7}};
  const std::vector<Ids> said = Engine(model).generate(prompts, tokens(8));
  ASSERT_EQ(said.size(), prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(said[i], greedy_by_hand(model, prompts[i], 8)) << "prompt " << i;
}

TEST(Engine, TheCacheGivesTheLogitsOfTheWholeSequence) {
  model::Transformer model = tiny_model();
  const at::NoGradGuard no_grad;
  const Ids ids = {1, 4, 8, 15, 16, 23, 39};
  const at::Tensor whole = all_logits(model, ids);
  layers::KeyValueCache cache;
  const model::FrozenTransformer frozen = model.freeze();
  const at::Tensor row = at::tensor(ids, at::kLong).unsqueeze(0);
  at::Tensor first = frozen.forward(row.slice(1, 0, 3), &cache);
  EXPECT_LT((first.squeeze(0).to(at::kDouble) - whole.slice(0, 0, 3)).abs().max().item<double>(), 1e-5);
  for (int64_t t = 3; t < static_cast<int64_t>(ids.size()); ++t) {
    const at::Tensor next = frozen.forward(row.slice(1, t, t + 1), &cache);
    EXPECT_LT((next.view({-1}).to(at::kDouble) - whole.select(0, t)).abs().max().item<double>(), 1e-5)
        << "position " << t;
  }
}

TEST(Engine, ChangedSubKeysAreSeenByTheNextGeneration) {
  model::Transformer model = tiny_model();
  const at::NoGradGuard no_grad;
  const Ids prompt = {1, 5, 9};
  Engine(model).generate({prompt}, tokens(6));  // leaves packed sub-keys behind
  for (const layers::Parameter& parameter : model.parameters()) {
    if (parameter.name.ends_with(".sub_keys")) parameter.tensor->mul_(-3);
  }
  EXPECT_EQ(Engine(model).generate({prompt}, tokens(6))[0], greedy_by_hand(model, prompt, 6));
}

TEST(Engine, SamplingIsReproducibleAndChangesWithTheSeed) {
  model::Transformer model = tiny_model();
  const std::vector<Ids> prompts(6, Ids{1, 5});
  SamplingOptions options = tokens(10);
  options.temperature = 1;
  const std::vector<Ids> first = Engine(model).generate(prompts, options);
  EXPECT_EQ(first, Engine(model).generate(prompts, options));
  EXPECT_NE(first[0], first[1]) << "equal prompts draw their own numbers";
  options.seed = 2;
  EXPECT_NE(first, Engine(model).generate(prompts, options));
}

TEST(Engine, WhatASequenceDrawsDoesNotDependOnItsBatch) {
  model::Transformer model = tiny_model();
  SamplingOptions options = tokens(10);
  options.temperature = 1;
  const std::vector<Ids> together = Engine(model).generate({{1, 5, 9}, {1, 6, 2}, {1, 7, 3}}, options);
  const std::vector<Ids> apart = Engine(model).generate({{1, 5, 9}, {1, 6}, {1, 7, 3, 3}}, options);
  EXPECT_EQ(together[0], apart[0]);
}

TEST(Engine, StopsAtStopIdsWithoutReturningThem) {
  model::Transformer model = tiny_model();
  const Ids prompt = {1, 5, 9};
  const Ids free = greedy_by_hand(model, prompt, 8);
  SamplingOptions options = tokens(8);
  options.stop_ids = {free[3]};
  const size_t end = static_cast<size_t>(std::find(free.begin(), free.end(), free[3]) - free.begin());
  EXPECT_EQ(Engine(model).generate({prompt}, options)[0],
            Ids(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(end)));
}

TEST(Engine, RowsThatEndLeaveTheOthersAsTheyWere) {
  model::Transformer model = tiny_model();
  const std::vector<Ids> prompts = {{1, 5, 9}, {1, 30, 2}, {1, 8, 8}, {1, 12, 21}};
  SamplingOptions options = tokens(9);
  // Row i ends after i + 2 tokens.
  options.stop_when = [](int64_t sequence, const Ids& ids) { return static_cast<int64_t>(ids.size()) >= sequence + 2; };
  const std::vector<Ids> said = Engine(model).generate(prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(said[i], greedy_by_hand(model, prompts[i], static_cast<int64_t>(i) + 2)) << "prompt " << i;
  }
}

TEST(Engine, StreamsEveryTokenInOrder) {
  model::Transformer model = tiny_model();
  std::vector<Ids> streamed(3);
  const std::vector<Ids> said = Engine(model).generate(
      {{1, 5}, {1, 6, 7}, {1, 9}}, tokens(5),
      [&](int64_t sequence, int64_t id) { streamed[static_cast<size_t>(sequence)].push_back(id); });
  EXPECT_EQ(streamed, said);
}

TEST(Engine, LogLikelihoodIsTheSumOfLogSoftmaxAtTheContinuation) {
  model::Transformer model = tiny_model();
  const std::vector<Ids> prompts = {{1, 5, 9}, {1, 7}, {1, 30, 2, 2}, {1}, {1, 4}};
  const std::vector<Ids> continuations = {{3, 4}, {8, 9, 10}, {11}, {5, 5, 5, 5}, {}};
  const std::vector<double> scores = Engine(model).log_likelihood(prompts, continuations);
  ASSERT_EQ(scores.size(), prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    Ids line = prompts[i];
    line.insert(line.end(), continuations[i].begin(), continuations[i].end());
    const at::Tensor log_probabilities = at::log_softmax(all_logits(model, line), -1);
    double expected = 0;
    for (size_t j = 0; j < continuations[i].size(); ++j) {
      const auto position = static_cast<int64_t>(prompts[i].size() + j) - 1;
      expected += log_probabilities[position][continuations[i][j]].item<double>();
    }
    EXPECT_NEAR(scores[i], expected, 1e-4) << "pair " << i;
  }
  EXPECT_EQ(scores[4], 0);
  const auto by_token = Engine(model).token_log_probabilities(prompts, continuations);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(by_token[i].size(), continuations[i].size());
    EXPECT_EQ(std::accumulate(by_token[i].begin(), by_token[i].end(), 0.0), scores[i]) << "bit for bit";
  }
}

TEST(Engine, ScoresDoNotDependOnTheBatch) {
  model::Transformer model = tiny_model();
  std::vector<Ids> prompts, continuations;
  for (int64_t i = 0; i < 300; ++i) {
    prompts.push_back({1, i % 40, (7 * i) % 40});
    continuations.push_back({(3 * i) % 40, 2});
  }
  const std::vector<double> together = Engine(model).log_likelihood(prompts, continuations);
  for (size_t i = 0; i < prompts.size(); i += 37) {
    EXPECT_NEAR(Engine(model).log_likelihood({prompts[i]}, {continuations[i]})[0], together[i], 1e-4);
  }
}

TEST(Engine, RefusesWhatTheModelCannotRead) {
  model::Transformer model = tiny_model();
  Engine engine(model);
  EXPECT_THROW(engine.generate({{}}, tokens(1)), base::UsageError);
  EXPECT_THROW(engine.generate({{1, 40}}, tokens(1)), base::UsageError);
  EXPECT_THROW(engine.generate({{1, -1}}, tokens(1)), base::UsageError);
  EXPECT_THROW(engine.generate({Ids(100, 1)}, tokens(29)), base::UsageError);
  EXPECT_EQ(engine.generate({Ids(100, 1)}, tokens(28))[0].size(), 28u);
  EXPECT_THROW(engine.log_likelihood({{1}}, {{40}}), base::UsageError);
  EXPECT_THROW(engine.log_likelihood({{1}}, {}), base::UsageError);
  EXPECT_THROW(engine.log_likelihood({Ids(100, 1)}, {Ids(29, 1)}), base::UsageError);
}

}  // namespace
}  // namespace memlayers::generation
