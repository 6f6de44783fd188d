#include "report/inspection/inspection_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/inspection/inspection_tables.h"
#include "support/inspection_fixture.h"
#include "support/markup.h"

namespace memlayers::report {
namespace {

TEST(InspectionPage, IsWellFormedAndFetchesNothing) {
  const std::string page = report::inspection_page(tests::fixture::full_inspection());
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(tests::occurrences(page, "<svg"), 4U);  // spread, heads, pairs, drift
}

TEST(InspectionPage, LeavesOutWhatWasNotAskedFor) {
  results::Inspection bare = tests::fixture::full_inspection();
  bare.lights.clear();
  bare.drift.clear();
  bare.pairs.clear();
  bare.asked.reset();
  const std::string page = report::inspection_page(bare);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_EQ(tests::occurrences(page, "<svg"), 2U);
  EXPECT_EQ(page.find("Which slots answered"), std::string::npos);
  EXPECT_EQ(page.find("What lights"), std::string::npos);
}

TEST(InspectionText, ShowsEveryPartAndMovesNoCursor) {
  const std::string text = inspection_text(tests::fixture::full_inspection());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  for (const char* part : {"4,321 tokens of 12 documents", "layer 1", "head 1", "never read in training", "1 and 3",
                           "since step-00000010", "from zero", "0.03 to 0.1", "light slot 42", "[31m<i>text</i> of two",
                           "(wrong; accepted: Somebody)", "Layer 1, head 0"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(InspectionJson, HoldsEveryNumber) {
  const auto json = nlohmann::json::parse(results::inspection_json(tests::fixture::full_inspection()));
  EXPECT_EQ(json.at("tokens"), 4321);
  EXPECT_EQ(json.at("tables").at(0).at("read_by"), (std::vector<int64_t>{30, 50, 20}));
  EXPECT_EQ(json.at("tables").at(0).at("never_trained"), 7);
  EXPECT_FALSE(json.at("layers").at(0).contains("head"));
  EXPECT_EQ(json.at("heads").at(3).at("head"), 1);
  EXPECT_EQ(json.at("pairs").at(0).at("both"), 20);
  EXPECT_TRUE(json.at("drift").at(0).at("most").at(0).at("relative").is_null());
  EXPECT_EQ(json.at("slot").at(0).at("documents").at(0).at("id"), 5);
  EXPECT_EQ(json.at("asked").at("heads").at(0).at("slots").at(0).at("weight"), 0.75);
}

TEST(InspectionTables, NameTheBinsOfMovement) {
  EXPECT_EQ(report::bin_text(0), "under 0.0001");
  EXPECT_EQ(report::bin_text(1), "0.0001 to 0.001");
  EXPECT_EQ(report::bin_text(results::drift_edges().size() - 1), "10 and more");
  EXPECT_EQ(report::table_label("model.memory_tables.0.up.weight"), "memory_tables.0.up");
}

}  // namespace
}  // namespace memlayers::report
