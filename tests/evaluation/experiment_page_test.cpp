#include "evaluation/experiment_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "evaluation/experiment_figures.h"
#include "evaluation/experiment_files.h"
#include "evaluation/experiment_fixture.h"
#include "evaluation/experiment_text.h"
#include "evaluation/markup.h"
#include "evaluation/standalone_svg.h"

namespace memlayers::evaluation {
namespace {

namespace fs = std::filesystem;

TEST(ExperimentPage, IsWellFormedAndHoldsVerdictsChartsAndPublishedNumbers) {
  const std::string page = experiment_page(fixture::experiment());
  EXPECT_EQ(markup_fault(page), "");
  for (const char* text : {"criteria met", "&amp; Figure", "Bars &lt;of&gt; text", "7.76", "runs.html"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST(ExperimentPage, OfASkippedExperimentSaysWhy) {
  Experiment experiment = fixture::experiment();
  experiment.comparison.runs.clear();
  experiment.skipped = "facts.jsonl is not there";
  const std::string page = experiment_page(experiment);
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_NE(page.find("skipped: facts.jsonl is not there"), std::string::npos);
}

TEST(ExperimentPage, IndexLinksEveryExperiment) {
  const std::string page =
      index_page({{"a/report.html", fixture::experiment()}, {"b/report.html", fixture::experiment()}});
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_NE(page.find("<a href=\"a/report.html\">"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"b/report.html\">"), std::string::npos);
  EXPECT_NE(page.find("2 experiments, each with"), std::string::npos);
}

TEST(ExperimentPage, IndexCountsWhatWasSkipped) {
  Experiment skipped = fixture::experiment();
  skipped.comparison.runs.clear();
  skipped.skipped = "facts.jsonl is not there";
  const std::string page = index_page({{"a/report.html", fixture::experiment()}, {"b/report.html", skipped}});
  EXPECT_NE(page.find("2 experiments (1 skipped), each with"), std::string::npos);
}

TEST(ExperimentFigures, LeaveOutWhatWasNotMeasured) {
  Experiment experiment = fixture::experiment();
  EXPECT_EQ(experiment_figures(experiment).size(), 2u);
  for (RunResult& run : experiment.comparison.runs) run.measures.clear();
  const std::vector<Figure> figures = experiment_figures(experiment);
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].title, "Lines");
  ASSERT_EQ(figures[0].tables.size(), 1u);
  EXPECT_EQ(figures[0].tables[0].rows[0][0], "1.02 k");
}

TEST(StandaloneSvg, NeedsNoStyleSheetFromOutside) {
  const std::string svg = standalone_svg(experiment_figures(fixture::experiment())[0].svg);
  EXPECT_EQ(markup_fault(svg), "");
  EXPECT_EQ(svg.find("var("), std::string::npos);
  EXPECT_NE(svg.find("#cf5a00"), std::string::npos);  // the first series' color
}

TEST(ExperimentFiles, CriteriaAndResultsAreForOtherPrograms) {
  const Experiment experiment = fixture::experiment();
  const auto criteria = nlohmann::json::parse(criteria_json(experiment));
  ASSERT_EQ(criteria.size(), 1u);
  EXPECT_EQ(criteria[0]["met"], true);
  EXPECT_DOUBLE_EQ(criteria[0]["value"].get<double>(), 0.25);
  EXPECT_EQ(criteria[0]["interval"].size(), 2u);
  EXPECT_EQ(criteria[0]["name"], "Memory+ has the lower loss, \"by a lot\"");
  const std::string csv = results_csv(experiment);
  EXPECT_EQ(csv.find("variant,seed,metric,value\ndense,1,recall,"), 0u);
  EXPECT_NE(csv.find("memory_plus,3,text_loss,3.0\n"), std::string::npos);
}

TEST(ExperimentFiles, ComeBackAsTheyWere) {
  const fs::path folder = fs::path(::testing::TempDir()) / "memlayers_experiment_files_test";
  const Experiment experiment = fixture::experiment();
  write_experiment_files(experiment, folder);
  const Experiment read = read_experiment(folder);
  EXPECT_EQ(experiment_page(read), experiment_page(experiment));
  EXPECT_TRUE(fs::exists(folder / "figures" / "chart-1-text_loss.svg"));
  EXPECT_EQ(base::read_text(folder / "results.md"), experiment_text(experiment));
  fs::remove_all(folder);
}

TEST(ExperimentText, IsTablesOfMarkdown) {
  const std::string text = experiment_text(fixture::experiment());
  EXPECT_NE(text.find("| criterion | verdict |"), std::string::npos) << text;
  EXPECT_NE(text.find("| Dense | 3 |"), std::string::npos) << text;
}

}  // namespace
}  // namespace memlayers::evaluation
