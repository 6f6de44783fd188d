#include "generation/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"

namespace memlayers::generation {
namespace {

std::vector<int64_t> draws(const std::vector<float>& logits, const SamplingOptions& options, int count) {
  base::RandomStream stream(7, "sampler_test");
  std::vector<int64_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(sample(logits, options, stream));
  return ids;
}

SamplingOptions with_temperature(double temperature) {
  SamplingOptions options;
  options.temperature = temperature;
  return options;
}

TEST(Sampler, GreedyTakesTheLowestOfEqualIds) {
  EXPECT_EQ(draws({0.5f, 2.0f, 2.0f, 1.0f}, {}, 3), (std::vector<int64_t>{1, 1, 1}));
}

TEST(Sampler, GreedyTakesTheLargestWhereverItIsInVocabulariesOfAnySize) {
  for (const size_t size : {1, 2, 31, 32, 33, 63, 64, 65, 127, 1000}) {
    for (size_t place = 0; place < size; ++place) {
      std::vector<float> logits(size, -3.0f);
      logits[place] = -1.0f;
      ASSERT_EQ(draws(logits, {}, 1)[0], static_cast<int64_t>(place)) << size;
      for (size_t other = place + 1; other < size; other += 7) logits[other] = -1.0f;
      ASSERT_EQ(draws(logits, {}, 1)[0], static_cast<int64_t>(place)) << size << ", with equals after it";
    }
  }
  const float none = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(draws({none, none, 1.0f, none}, {}, 1)[0], 2);
  EXPECT_EQ(draws({none, none}, {}, 1)[0], 0);
  EXPECT_EQ(draws({std::nanf(""), std::nanf("")}, {}, 1)[0], 0);
}

TEST(Sampler, DrawsFollowTheSoftmaxOfLogitsOverTemperature) {
  const std::vector<float> logits = {0.0f, 1.0f, 2.0f, -1.0f};
  const double temperature = 0.7;
  std::vector<double> expected;
  double sum = 0;
  for (float logit : logits) sum += expected.emplace_back(std::exp(logit / temperature));
  const int count = 40000;
  std::vector<int> seen(logits.size());
  for (int64_t id : draws(logits, with_temperature(temperature), count)) ++seen[static_cast<size_t>(id)];
  for (size_t i = 0; i < logits.size(); ++i) {
    const double p = expected[i] / sum;
    EXPECT_NEAR(seen[i] / double(count), p, 5 * std::sqrt(p * (1 - p) / count)) << "id " << i;
  }
}

TEST(Sampler, TopKDrawsOnlyFromTheKMostProbableAndPrefersLowIdsAmongEquals) {
  SamplingOptions options = with_temperature(5);
  options.top_k = 2;
  const std::vector<int64_t> ids = draws({1.0f, 3.0f, 1.0f, 0.0f}, options, 500);
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()), (std::set<int64_t>{0, 1}));
}

TEST(Sampler, TopPKeepsTheFewestIdsThatHoldTheProbability) {
  // Probabilities 0.5, 0.3, 0.15, 0.05.
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  SamplingOptions options = with_temperature(1);
  options.top_p = 0.75;
  std::vector<int64_t> ids = draws(logits, options, 500);
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()), (std::set<int64_t>{0, 1}));
  options.top_p = 0.9;
  ids = draws(logits, options, 500);
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()), (std::set<int64_t>{0, 1, 2}));
}

TEST(Sampler, ATinyTopPOrATopKOfOneIsGreedy) {
  const std::vector<float> logits = {0.1f, 0.2f, 0.15f};
  SamplingOptions options = with_temperature(1);
  options.top_p = 1e-9;
  EXPECT_EQ(draws(logits, options, 5), (std::vector<int64_t>(5, 1)));
  options = with_temperature(1);
  options.top_k = 1;
  EXPECT_EQ(draws(logits, options, 5), (std::vector<int64_t>(5, 1)));
}

TEST(Sampler, HugeLogitsDoNotOverflow) {
  EXPECT_EQ(draws({1e30f, -1e30f, 0.0f}, with_temperature(1e-3), 5), (std::vector<int64_t>(5, 0)));
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  SamplingOptions options;
  options.temperature = -1;
  EXPECT_THROW(check_sampling(options), base::UsageError);
  options = {};
  options.top_p = 0;
  EXPECT_THROW(check_sampling(options), base::UsageError);
  options = {};
  options.top_k = -1;
  EXPECT_THROW(check_sampling(options), base::UsageError);
  options = {};
  options.max_new_tokens = -1;
  EXPECT_THROW(check_sampling(options), base::UsageError);
}

}  // namespace
}  // namespace memlayers::generation
