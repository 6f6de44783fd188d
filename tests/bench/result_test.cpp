#include "bench/result.h"

#include <gtest/gtest.h>

namespace memlayers::bench {
namespace {

Result compared() {
  Result result;
  result.name = "selection";
  result.shape = {{"n", 1024}, {"k", 32}};
  result.distribution = "normal";
  result.dtype = "float32";
  result.against = "torch";
  result.timing = {.seconds = 0.002, .against_seconds = 0.01, .ratio = 5.5, .spread = 0.25, .runs = 7};
  result.threads = 2;
  return result;
}

std::vector<std::string> keys(const nlohmann::ordered_json& line) {
  std::vector<std::string> found;
  for (const auto& [key, value] : line.items()) found.push_back(key);
  return found;
}

TEST(ResultAsJson, HasTheFieldsOfTheContractInOrder) {
  const auto line = to_json(compared());
  EXPECT_EQ(keys(line), (std::vector<std::string>{"name", "shape", "distribution", "dtype", "threads", "seconds",
                                                  "against", "against_seconds", "ratio", "runs", "spread"}));
  EXPECT_EQ(line["shape"]["n"], 1024);
  EXPECT_EQ(line["seconds"], 0.002);
  EXPECT_EQ(line["against"], "torch");
  EXPECT_EQ(line["ratio"], 5.5);
  EXPECT_EQ(line["runs"], 7);
}

TEST(ResultAsJson, SaysNullWhereNothingWasComparedWith) {
  Result result = compared();
  result.against.clear();
  const auto line = to_json(result);
  EXPECT_TRUE(line["against"].is_null());
  EXPECT_TRUE(line["against_seconds"].is_null());
  EXPECT_TRUE(line["ratio"].is_null());
}

TEST(ResultAsJson, CountsTokensAndBytesASecondForBoth) {
  Result result = compared();
  result.tokens = 100;
  result.bytes = 4000;
  const auto line = to_json(result);
  EXPECT_DOUBLE_EQ(line["tokens_per_second"].get<double>(), 50'000);
  EXPECT_DOUBLE_EQ(line["against_tokens_per_second"].get<double>(), 10'000);
  EXPECT_DOUBLE_EQ(line["bytes_per_second"].get<double>(), 2e6);
}

// Twice the work in 1 / 5.5 of the time would be 11 times the utilization.
TEST(ResultAsJson, ComparesFlopsASecondWhereBothHaveThem) {
  Result result = compared();
  result.flops = 4e9;
  EXPECT_FALSE(to_json(result).contains("utilization_ratio"));
  EXPECT_DOUBLE_EQ(to_json(result)["flops_per_second"].get<double>(), 2e12);
  result.against_flops = 2e9;
  const auto line = to_json(result);
  EXPECT_DOUBLE_EQ(line["against_flops_per_second"].get<double>(), 2e11);
  EXPECT_DOUBLE_EQ(line["utilization_ratio"].get<double>(), 11);
  EXPECT_NE(table({result}).find("2000 GFLOP/s, 11.00x"), std::string::npos);
}

TEST(ResultAsJson, TakesFurtherFieldsIn) {
  Result result = compared();
  result.more = {{"peak_bytes", 12}, {"parts", {{"forward", 0.5}}}};
  const auto line = to_json(result);
  EXPECT_EQ(line["peak_bytes"], 12);
  EXPECT_EQ(line["parts"]["forward"], 0.5);
}

TEST(ResultTable, AlignsItsColumns) {
  Result longer = compared();
  longer.name = "bag_backward_update";
  longer.timing.ratio = 1234;
  const std::string text = table({compared(), longer});
  std::vector<std::string> lines;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  ASSERT_EQ(lines.size(), 3u);
  const size_t column = lines[0].find("shape");
  EXPECT_EQ(lines[1].find("n=1024 k=32"), column);
  EXPECT_EQ(lines[2].find("n=1024 k=32"), column);
  EXPECT_EQ(lines[1].find("5.50x") + 5, lines[2].find("1234x") + 5);
  EXPECT_NE(lines[1].find("2.00 ms"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::bench
