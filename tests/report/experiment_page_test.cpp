#include "report/experiment/experiment_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "report/experiment/experiment_files.h"
#include "report/experiment/experiment_text.h"
#include "report/experiment/figures.h"
#include "report/page/standalone_svg.h"
#include "support/experiment_fixture.h"
#include "support/markup.h"

namespace memlayers::report {
namespace {

namespace fs = std::filesystem;

TEST(ExperimentPage, IsWellFormedAndHoldsVerdictsChartsAndPublishedNumbers) {
  const std::string page = report::experiment_page(tests::fixture::experiment());
  EXPECT_EQ(tests::markup_fault(page), "");
  for (const char* text : {"criteria met", "&amp; Figure", "Bars &lt;of&gt; text", "7.76", "runs.html"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST(ExperimentPage, OfASkippedExperimentSaysWhy) {
  results::Experiment experiment = tests::fixture::experiment();
  experiment.comparison.runs.clear();
  experiment.skipped = "facts.jsonl is not there";
  const std::string page = report::experiment_page(experiment);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_NE(page.find("skipped: facts.jsonl is not there"), std::string::npos);
}

TEST(ExperimentPage, IndexLinksEveryExperiment) {
  const std::string page = report::index_page(
      {{"a/report.html", tests::fixture::experiment()}, {"b/report.html", tests::fixture::experiment()}});
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_NE(page.find("<a href=\"a/report.html\">"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"b/report.html\">"), std::string::npos);
  EXPECT_NE(page.find("2 experiments, each with"), std::string::npos);
}

TEST(ExperimentPage, IndexCountsWhatWasSkipped) {
  results::Experiment skipped = tests::fixture::experiment();
  skipped.comparison.runs.clear();
  skipped.skipped = "facts.jsonl is not there";
  const std::string page =
      report::index_page({{"a/report.html", tests::fixture::experiment()}, {"b/report.html", skipped}});
  EXPECT_NE(page.find("2 experiments (1 skipped), each with"), std::string::npos);
}

TEST(ExperimentFigures, LeaveOutWhatWasNotMeasured) {
  results::Experiment experiment = tests::fixture::experiment();
  EXPECT_EQ(report::experiment_figures(experiment, results::FigureKind::kVariants).size(), 2u);
  for (results::RunResult& run : experiment.comparison.runs) run.measures.clear();
  const std::vector<report::Figure> figures = report::experiment_figures(experiment, results::FigureKind::kVariants);
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].title, "Lines");
  ASSERT_EQ(figures[0].tables.size(), 1u);
  EXPECT_EQ(figures[0].tables[0].rows[0][0], "1.02 k");
}

TEST(ExperimentFigures, AreOfEveryKindAComparisonHas) {
  results::Experiment experiment = tests::fixture::experiment();
  results::FigureSpec curve;
  curve.kind = results::FigureKind::kCurve;
  curve.metric = "recall_seen";
  curve.over = "seconds";
  curve.title = "On the way";
  experiment.figures.push_back(curve);
  const std::string page = report::experiment_page(experiment);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_NE(page.find("While they learned"), std::string::npos);
  EXPECT_NE(page.find("<h3>On the way</h3>"), std::string::npos);
  EXPECT_NE(page.find("facts recalled in wordings read"), std::string::npos);
}

/// The sample with answers broken down and a figure of them.
results::Experiment with_answers(const std::string& metric) {
  results::Experiment experiment = tests::fixture::experiment();
  for (results::RunResult& run : experiment.comparison.runs)
    run.answers =
        tests::fixture::answers(run.variant == "dense" ? tests::fixture::kDense : tests::fixture::kMemoryPlus);
  results::FigureSpec& figure = experiment.figures.emplace_back();
  figure.kind = results::FigureKind::kAnswers;
  figure.metric = metric;
  return experiment;
}

TEST(AnswerFigures, TellRecallByLength) {
  const std::vector<report::Figure> figures =
      report::experiment_figures(with_answers("recall_seen"), results::FigureKind::kAnswers);
  ASSERT_EQ(figures.size(), 1u);
  ASSERT_EQ(figures[0].tables.size(), 1u);
  const Table& table = figures[0].tables[0];
  EXPECT_EQ(table.caption, "Recall by length of the answer, wordings read");
  EXPECT_EQ(table.head, (std::vector<std::string>{"variant", "1 token (2)", "2 tokens (1)", "5 and more (1)"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"Dense", "50.0%", "100.0%", "0.0%"}));
}

TEST(AnswerFigures, TellNatsByLengthOfTheFirstTokenAloneAndTheirSpread) {
  results::Experiment experiment = with_answers("nats_seen");
  std::erase_if(experiment.comparison.runs, [](const results::RunResult& run) { return run.seed > 1; });
  const std::vector<report::Figure> figures = report::experiment_figures(experiment, results::FigureKind::kAnswers);
  ASSERT_EQ(figures.size(), 2u);
  ASSERT_EQ(figures[0].tables.size(), 2u);
  EXPECT_EQ(figures[0].tables[0].rows[0], (std::vector<std::string>{"Dense", "3.125", "0.750", "12.000"}));
  EXPECT_EQ(figures[0].tables[0].rows[1], (std::vector<std::string>{"Memory+", "1.125", "0.750", "4.000"}));
  EXPECT_EQ(figures[0].tables[1].caption, "Nats of the answer's first token alone, wordings read");
  EXPECT_EQ(figures[0].tables[1].rows[0], (std::vector<std::string>{"Dense", "3.125", "0.500", "1.000"}));
  EXPECT_EQ(figures[1].tables[0].rows[0],
            (std::vector<std::string>{"Dense", "25.0%", "50.0%", "50.0%", "50.0%", "75.0%", "100.0%", "100.0%", "0.625",
                                      "3.375", "7.500"}));
  EXPECT_EQ(figures[1].tables[0].rows[1][4], "75.0%");  // Memory+ below four nats
  for (const report::Figure& figure : figures) EXPECT_EQ(tests::markup_fault(figure.svg), "");
}

TEST(AnswerFigures, AreOnThePageAndTheirTablesInTheText) {
  const results::Experiment experiment = with_answers("nats_seen");
  const std::string page = report::experiment_page(experiment), text = report::experiment_text(experiment);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_NE(page.find("<h3>Spread of nats over the questions, wordings read</h3>"), std::string::npos);
  EXPECT_NE(text.find("Spread of nats over the questions, wordings read:\n\n| variant | below 0.5 |"),
            std::string::npos)
      << text;
}

TEST(AnswerFigures, LeaveOutWhatWasNotMeasured) {
  results::Experiment experiment = with_answers("nats_seen");
  for (results::RunResult& run : experiment.comparison.runs) {
    for (results::LengthScore& score : run.answers.lengths) score.first_nats.reset();
    if (run.variant == "dense") run.answers = {};
  }
  std::vector<report::Figure> figures = report::experiment_figures(experiment, results::FigureKind::kAnswers);
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].tables.size(), 1u);  // no first tokens
  ASSERT_EQ(figures[0].tables[0].rows.size(), 1u);
  EXPECT_EQ(figures[0].tables[0].rows[0][0], "Memory+");
  experiment.figures.back().metric = "nats";  // of wordings that were not asked
  EXPECT_TRUE(report::experiment_figures(experiment, results::FigureKind::kAnswers).empty());
}

TEST(RelationFigures, DrawTheMetricTheyAreGiven) {
  results::Experiment experiment = tests::fixture::experiment();
  results::FigureSpec& figure = experiment.figures.emplace_back();
  figure.kind = results::FigureKind::kRelations;
  figure.metric = "nats_seen";
  const std::vector<report::Figure> figures = report::experiment_figures(experiment, results::FigureKind::kRelations);
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].title, "Nats by kind of fact");
  EXPECT_NE(figures[0].caption.find("All in wordings read;"), std::string::npos) << figures[0].caption;
  double before = 1e300;  // on top: where fewer nats are furthest ahead
  for (const auto& row : figures[0].tables[0].rows) {
    const double lead = std::stod(row[1]) - std::stod(row[3]);  // Dense over Memory+
    EXPECT_LE(lead, before + 0.002);
    before = lead;
  }
}

TEST(ExperimentFigures, SayHowMuchTheRunsRead) {
  results::Experiment experiment = tests::fixture::experiment();
  experiment.figures[0].groups = {"after {tokens} tokens"};
  experiment.figures[0].caption = "Of {tokens} tokens, {tokens} in all. ";
  const auto kind = results::FigureKind::kVariants;
  EXPECT_EQ(report::experiment_figures(experiment, kind)[0].tables[0].rows[0][0], "after 3.07 M tokens");
  EXPECT_EQ(report::experiment_figures(experiment, kind)[0].caption, "Of 3.07 M tokens, 3.07 M in all. ");
  for (results::RunResult& run : experiment.comparison.runs) {
    if (run.variant == "dense") run.curve.resize(run.curve.size() / 2);
  }
  EXPECT_EQ(report::experiment_figures(experiment, kind)[0].tables[0].rows[0][0], "after 1.54 M to 3.07 M tokens");
}

TEST(StandaloneSvg, NeedsNoStyleSheetFromOutside) {
  const std::string svg = report::standalone_svg(
      report::experiment_figures(tests::fixture::experiment(), results::FigureKind::kVariants)[0].svg);
  EXPECT_EQ(tests::markup_fault(svg), "");
  EXPECT_EQ(svg.find("var("), std::string::npos);
  EXPECT_NE(svg.find("#cf5a00"), std::string::npos);  // the first series' color
}

TEST(ExperimentFiles, CriteriaAndResultsAreForOtherPrograms) {
  const results::Experiment experiment = tests::fixture::experiment();
  const auto criteria = nlohmann::json::parse(report::criteria_json(experiment));
  ASSERT_EQ(criteria.size(), 1u);
  EXPECT_EQ(criteria[0]["met"], true);
  EXPECT_DOUBLE_EQ(criteria[0]["value"].get<double>(), 0.25);
  EXPECT_EQ(criteria[0]["interval"].size(), 2u);
  EXPECT_EQ(criteria[0]["name"], "Memory+ has the lower loss, \"by a lot\"");
  const std::string csv = report::results_csv(experiment);
  EXPECT_EQ(csv.find("variant,seed,metric,value\ndense,1,recall,"), 0u);
  EXPECT_NE(csv.find("memory_plus,3,text_loss,3.0\n"), std::string::npos);
}

TEST(ExperimentFiles, ComeBackAsTheyWere) {
  const fs::path folder = fs::path(::testing::TempDir()) / "memlayers_experiment_files_test";
  const results::Experiment experiment = tests::fixture::experiment();
  report::write_experiment_files(experiment, folder);
  const results::Experiment read = report::read_experiment(folder);
  EXPECT_EQ(report::experiment_page(read), report::experiment_page(experiment));
  EXPECT_TRUE(fs::exists(folder / "figures" / "chart-1-text_loss.svg"));
  EXPECT_EQ(base::read_text(folder / "results.md"), report::experiment_text(experiment));
  EXPECT_NE(base::read_text(folder / "runs.html").find("(text loss; lower is better)"), std::string::npos)
      << "the criterion's metric";
  fs::remove_all(folder);
}

TEST(ExperimentText, IsTablesOfMarkdown) {
  const std::string text = report::experiment_text(tests::fixture::experiment());
  EXPECT_NE(text.find("| criterion | verdict |"), std::string::npos) << text;
  EXPECT_NE(text.find("| Dense | 3 |"), std::string::npos) << text;
}

}  // namespace
}  // namespace memlayers::report
