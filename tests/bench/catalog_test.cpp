#include "bench/catalog.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "bench/run.h"

namespace memlayers::bench {
namespace {

TEST(Catalog, KnowsItsBenchmarksAndNamesTheNearestToAnUnknownOne) {
  try {
    cases_of({"bag_foward"}, {});
    FAIL() << "an unknown name was taken";
  } catch (const base::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("bag_forward"), std::string::npos);
  }
}

TEST(Catalog, ListsCasesInItsOwnOrderWhateverTheOrderOfTheNames) {
  const auto cases = cases_of({"bag_forward", "selection"}, {.quick = true});
  EXPECT_EQ(cases.front().name, "selection");
  EXPECT_EQ(cases.back().name, "bag_forward");
}

TEST(Catalog, KeepsToOneDtypeAndRefusesOneThatLeavesNothing) {
  for (const Case& each : cases_of({"selection", "bag_forward"}, {.quick = true, .dtype = "bfloat16"}))
    EXPECT_EQ(each.dtype, "bfloat16");
  EXPECT_THROW(cases_of({"selection"}, {.quick = true, .dtype = "int8"}), base::UsageError);
}

TEST(Catalog, QuantizedBagsHaveRowsOfAsManyBytesAndNoGatherOfTorch) {
  for (const std::string dtype : {"int8", "int4"}) {
    const auto cases = cases_of({"bag_forward"}, {.quick = true, .dtype = dtype});
    for (const Case& each : cases) {
      EXPECT_EQ(each.shape["D"], each.shape["row_bytes"].get<int64_t>() * (dtype == "int8" ? 1 : 2));
      EXPECT_EQ(each.against, (std::vector<std::string>{"torch", "gather_limit", "copy_limit"}));
    }
  }
}

TEST(Catalog, NeedsTwinsOnlyForWholeModels) {
  EXPECT_FALSE(needs_twins({"selection", "bag_forward"}));
  EXPECT_TRUE(needs_twins({"selection", "decode"}));
  EXPECT_TRUE(needs_twins({}));
}

Case counting_case(int& made, int& rivals) {
  const auto make = [&] {
    ++made;
    Workload work;
    work.ours = [] {};
    for (int i = 0; i < 2; ++i) work.rivals.push_back({i == 0 ? "torch" : "gather_limit", [&rivals] { ++rivals; }});
    return work;
  };
  return {"counted", {}, kUniform, "float32", {"torch", "gather_limit"}, make};
}

const RunOptions kBrief = {
    .measure = {.seconds = 0, .min_pairs = 1, .max_pairs = 1, .sample = 0}, .threads = 1, .progress = false};

TEST(Run, GivesOneResultForEachRival) {
  int made = 0, rivals = 0;
  const RunOutcome outcome = run({counting_case(made, rivals)}, kBrief);
  EXPECT_EQ(made, 1);
  ASSERT_EQ(outcome.results.size(), 2u);
  EXPECT_EQ(outcome.results[0].against, "torch");
  EXPECT_EQ(outcome.results[1].against, "gather_limit");
  EXPECT_GT(rivals, 0);
  EXPECT_FALSE(outcome.interrupted);
}

TEST(Run, StopsWhenInterrupted) {
  int made = 0, rivals = 0;
  const auto interrupt = [](const Result&) { base::set_interrupted(true); };
  const RunOutcome outcome = run({counting_case(made, rivals), counting_case(made, rivals)}, kBrief, interrupt);
  base::set_interrupted(false);
  EXPECT_EQ(made, 1);
  EXPECT_TRUE(outcome.interrupted);
}

TEST(Run, CollectsBrokenBounds) {
  Case broken{"bound", {}, kUniform, "float32", {}, [] {
                Workload work;
                work.ours = [] {};
                work.more = [] { return nlohmann::ordered_json{{"failure", "too much"}}; };
                return work;
              }};
  const RunOutcome outcome = run({broken}, kBrief);
  ASSERT_EQ(outcome.results.size(), 1u);
  EXPECT_TRUE(outcome.results[0].against.empty());
  EXPECT_EQ(outcome.failures, std::vector<std::string>{"bound: too much"});
}

}  // namespace
}  // namespace memlayers::bench
