#include "evaluation/requests/requests.h"

#include <gtest/gtest.h>

#include "generation/tiny_model.h"

namespace memlayers::evaluation {
namespace {

TEST(Requests, OneThatCannotBeContinuedLeavesTheDrawsOfTheOthersAsTheyWere) {
  model::Transformer model = memlayers::testing::tiny_model();
  generation::SamplingOptions options;
  options.max_new_tokens = 20;
  options.temperature = 1;
  const Ids last(120, 1), too_long(128, 1);  // of 128 positions
  const auto whole = Requests(model).generate({{1, 2}, {1, 3}, {1, 4}, last}, options);
  std::vector<int64_t> called;
  const auto some =
      Requests(model).generate({{1, 2}, {}, {1, 4}, last, too_long, {1, 40}}, options, [&](int64_t place, int64_t) {
        if (called.empty() || called.back() != place) called.push_back(place);
      });
  EXPECT_EQ(some[0].ids, whole[0].ids);
  EXPECT_EQ(some[2].ids, whole[2].ids);
  EXPECT_EQ(some[3].ids, whole[3].ids);
  EXPECT_EQ(some[3].ids.size(), 8u) << "it ends with the positions";
  EXPECT_NE(some[1].problem.find("is empty"), std::string::npos);
  EXPECT_NE(some[4].problem.find("needs 129 positions"), std::string::npos);
  EXPECT_NE(some[5].problem.find("token id 40"), std::string::npos);
  EXPECT_EQ(std::count(called.begin(), called.end(), 1) + std::count(called.begin(), called.end(), 4), 0);
  EXPECT_EQ(called.back(), 3) << "calls back name places in the list that was given";
}

TEST(Requests, OneThatCannotBeScoredLeavesTheOthers) {
  model::Transformer model = memlayers::testing::tiny_model();
  const auto alone = Requests(model).score({{{1, 2}, {3, 4}}});
  const auto both = Requests(model).score({{Ids(128, 1), {3}}, {{1, 2}, {3, 4}}});
  EXPECT_NEAR(both[1].nats, alone[0].nats, 1e-5);
  EXPECT_TRUE(both[1].problem.empty());
  EXPECT_NE(both[0].problem.find("max_position_embeddings"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::evaluation
