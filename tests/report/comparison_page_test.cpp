#include "report/experiment/experiment_page.h"

#include <gtest/gtest.h>

#include <limits>

#include "report/experiment/contest.h"
#include "support/comparison_fixture.h"
#include "support/markup.h"

namespace memlayers::report {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string page_of(const results::Comparison& comparison) {
  return report::experiment_page(results::experiment_of(comparison));
}

/// Scales what Memory+ recalls at the end and on the way.
results::Comparison with_memory_recall(results::Comparison comparison, double factor) {
  for (results::RunResult& run : comparison.runs) {
    if (run.variant != "memory_plus") continue;
    run.unseen.exact_match *= factor;
    for (results::CurvePoint& point : run.curve) point.recall *= point.recall < 0 ? 1 : factor;
  }
  return comparison;
}

TEST(ReportPage, IsWellFormed) {
  for (const uint64_t seeds : {1, 3}) EXPECT_EQ(tests::markup_fault(page_of(tests::fixture::comparison(seeds))), "");
}

TEST(ReportPage, ReachesForNothingOutside) {
  std::string page = page_of(tests::fixture::comparison(3));
  for (const std::string known : {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}) {
    for (size_t at = page.find(known); at != std::string::npos; at = page.find(known)) page.erase(at, known.size());
  }
  for (const char* forbidden : {"http://", "https://", "<script", "src=", "href=", "@import", "url("}) {
    EXPECT_FALSE(contains(page, forbidden)) << forbidden;
  }
}

TEST(ReportPage, HasATableBehindEveryChart) {
  const std::string page = page_of(tests::fixture::comparison(3));
  EXPECT_EQ(tests::occurrences(page, "<svg"), 8U)
      << "four curves, two bar charts, one of the memory, one of a step's time";
  EXPECT_EQ(tests::occurrences(page, "<svg"), tests::occurrences(page, "<figure"));
  for (size_t at = page.find("<figure"); at != std::string::npos; at = page.find("<figure", at + 1)) {
    const std::string figure = page.substr(at, page.find("</figure>", at) - at);
    EXPECT_TRUE(contains(figure, "<svg")) << figure.substr(0, 60);
    EXPECT_TRUE(contains(figure, "<details>")) << figure.substr(0, 60);
    EXPECT_TRUE(contains(figure, "<th scope=\"col\">")) << figure.substr(0, 60);
    EXPECT_TRUE(contains(figure, "<th scope=\"row\">")) << figure.substr(0, 60);
  }
}

TEST(ReportPage, EscapesNamesInEveryPlaceTheyAppear) {
  results::Comparison comparison = tests::fixture::comparison(1);
  const std::string nasty = "<b>&\"'\x02\xff";
  comparison.title = comparison.description = comparison.machine = comparison.commit = comparison.command =
      comparison.date = nasty;
  for (auto& variant : comparison.variants) variant += nasty;
  comparison.baseline += nasty;
  for (auto& run : comparison.runs) {
    run.variant += nasty;
    for (auto& score : run.relations) score.relation += nasty;
  }
  for (auto& each : comparison.step_times) {
    each.variant += nasty;
    each.step.machine = nasty;
    each.step.ops[0].name = each.step.ops[1].group = nasty;
  }
  for (auto& example : comparison.examples) {
    example.prompt = example.answer = nasty;
    for (auto& reply : example.replies) reply = {reply.variant + nasty, nasty, reply.correct};
  }
  const std::string page = page_of(comparison);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_FALSE(contains(page, "<b>"));
}

TEST(ReportPage, DrawsWhatIsThereWhenMuchIsMissing) {
  EXPECT_EQ(tests::markup_fault(page_of(results::Comparison{})), "");
  EXPECT_TRUE(contains(page_of(results::Comparison{}), "No run has finished yet."));

  results::Comparison one_run = tests::fixture::comparison(1);
  one_run.runs.resize(1);
  one_run.runs[0].relations.clear();
  one_run.examples.clear();
  EXPECT_EQ(tests::markup_fault(page_of(one_run)), "");
  EXPECT_TRUE(contains(page_of(one_run), "There is no other model to compare it with."));
  EXPECT_FALSE(contains(page_of(one_run), "Recall by kind of fact"));

  results::Comparison never_asked = tests::fixture::comparison(2);
  for (results::RunResult& run : never_asked.runs) {
    for (results::CurvePoint& point : run.curve) point.recall = point.recall_seen = -1;
    run.seen = run.unseen = {};
    run.relations.clear();
    run.slot_usage.clear();
  }
  never_asked.step_times.clear();
  const std::string page = page_of(never_asked);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_TRUE(contains(page, "The models were trained, but not asked."));
  EXPECT_EQ(tests::occurrences(page, "<svg"), 1U) << "the loss";

  results::Comparison odd = tests::fixture::comparison(1);
  odd.variants.clear();
  odd.baseline = "nobody";
  odd.runs[0].curve.clear();
  odd.runs[1].curve[3].loss = std::numeric_limits<double>::quiet_NaN();
  odd.runs[1].slot_usage[0].read_share.clear();
  odd.runs[1].slot_usage[1].read_share.assign(7, 0.0);
  EXPECT_EQ(tests::markup_fault(page_of(odd)), "");
}

TEST(ReportPage, NamesNgramLayersApartFromMemoryLayersOfTheirBlock) {
  results::Comparison comparison = tests::fixture::comparison(1);
  for (results::RunResult& run : comparison.runs) {
    if (run.slot_usage.empty()) continue;
    run.slot_usage.push_back(run.slot_usage[0]);
    run.slot_usage.back().table = "ngrams";
    run.slot_usage.back().slots = 777;
  }
  const std::string page = page_of(comparison);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_TRUE(contains(page, "N-gram layer 1 read"));
  EXPECT_TRUE(contains(page, "of the 777 slots"));
  EXPECT_TRUE(contains(page, " Layer 1 read"));
}

TEST(ReportPage, ShowsEachVariantsStepAgainstItsLimits) {
  const std::string page = page_of(tests::fixture::comparison(1));
  EXPECT_EQ(tests::occurrences(page, "<h2>Where a step&#39;s time goes</h2>"), 1U);
  EXPECT_EQ(tests::occurrences(page, "id=\"figure-step-times\""), 1U);
  EXPECT_TRUE(contains(page, "A training step of Dense: 22.5 ms on 2 threads"));
  EXPECT_TRUE(contains(page, "A training step of Memory+: 31.5 ms on 2 threads"));
  EXPECT_TRUE(contains(page, "<th scope=\"row\">bag</th><td>2.30</td><td>7.3%</td><td>2.10</td><td>91%</td>"));
  EXPECT_TRUE(contains(page, "<th scope=\"row\">bringing rows up to date</th><td>1.20</td><td>3.8%</td><td>–</td>"));
  EXPECT_TRUE(contains(page, "gathers rows at 7.70\u00a0GB/s"));
  EXPECT_FALSE(contains(page, "on another machine"));
  EXPECT_FALSE(contains(page, "More than 100%"));
  results::Comparison busy = tests::fixture::comparison(1);
  busy.step_times[0].step.ops[5].limit_seconds = 0.001;
  EXPECT_TRUE(contains(page_of(busy), "<td>0.80</td><td>3.6%</td><td>1.00</td><td>125%</td>"));
  EXPECT_TRUE(contains(page_of(busy), "More than 100%"));
}

TEST(ReportPage, LeavesOutStepsThatWereNotTimed) {
  results::Comparison comparison = tests::fixture::comparison(1);
  comparison.step_times.resize(1);
  EXPECT_EQ(tests::occurrences(page_of(comparison), "<caption>A training step of "), 1U);
  comparison.step_times[0].step.machine = "elsewhere";
  EXPECT_TRUE(contains(page_of(comparison), "on another machine than the one named below: elsewhere."));
  comparison.step_times[0].step.ops.clear();
  comparison.step_times[0].step.seconds = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(contains(page_of(comparison), "A training step of "));
  comparison.step_times.clear();
  EXPECT_FALSE(contains(page_of(comparison), "time goes"));
}

TEST(ReportPage, DrawsManyRelationsInTwoCharts) {
  results::Comparison comparison = tests::fixture::comparison(2);
  EXPECT_EQ(tests::occurrences(page_of(comparison), "id=\"figure-recall-relation"), 1U);
  for (results::RunResult& run : comparison.runs) {
    for (int r = 0; r < 20; ++r)
      run.relations.push_back(tests::fixture::score("more_" + std::to_string(r), "unseen", 7, 0.5));
  }
  const std::string page = page_of(comparison);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_EQ(tests::occurrences(page, "id=\"figure-recall-relation"), 2U);
  for (int r = 0; r < 20; ++r) {
    EXPECT_EQ(tests::occurrences(page, "<th scope=\"row\">more " + std::to_string(r) + " (7)</th>"), 1U) << r;
  }
}

TEST(Headline, SaysWhoRecallsMoreByTheSign) {
  const results::Comparison comparison = tests::fixture::comparison(3);
  EXPECT_EQ(report::headline(comparison, "recall").answer,
            "Memory+ recalls 63% of the facts in wordings it never read; its dense twin recalls 40%.");
  EXPECT_EQ(report::headline(with_memory_recall(comparison, 0.5), "recall").answer,
            "Memory+ recalls 32% of the facts in wordings it never read, less than its dense twin, which recalls 40%.");
}

TEST(Headline, SaysWhenTheTwoAreLevel) {
  results::Comparison comparison = tests::fixture::comparison(1);
  comparison.runs[0].unseen.exact_match = 0.412;
  comparison.runs[1].unseen.exact_match = 0.414;
  EXPECT_EQ(report::headline(comparison, "recall").answer,
            "Memory+ and its dense twin recall about the same share of the facts in wordings "
            "they never read: 41.4% and 41.2%.");
}

TEST(Headline, SaysHowManySeedsThereAre) {
  EXPECT_TRUE(contains(report::headline(tests::fixture::comparison(1), "recall").notes.at(1), "one seed"));
  const std::string three = report::headline(tests::fixture::comparison(3), "recall").notes.at(1);
  EXPECT_TRUE(contains(three, "Means of 3 seeds"));
  EXPECT_TRUE(contains(three, "Every seed of Memory+ is ahead of every seed of Dense."));
  results::Comparison overlapping = tests::fixture::comparison(2);
  overlapping.runs[0].unseen.exact_match = 0.9;
  EXPECT_TRUE(contains(report::headline(overlapping, "recall").notes.at(1), "chance may decide"));
}

TEST(Headline, TellsWhatEqualSecondsSay) {
  EXPECT_TRUE(contains(report::headline(tests::fixture::comparison(3), "recall").notes.at(2),
                       "Dense is ahead of Memory+, 40.0% against 29.1%"))
      << report::headline(tests::fixture::comparison(3), "recall").notes.at(2);
}

TEST(Headline, ComparesAtEqualTokensWhenRunsReadDifferentAmounts) {
  results::Comparison comparison = tests::fixture::comparison(1);
  comparison.runs[1].curve.resize(comparison.runs[1].curve.size() / 2);
  const report::Headline told = report::headline(comparison, "recall");
  EXPECT_TRUE(contains(told.notes.at(0), "Compared after 1.54 million tokens")) << told.notes.at(0);
}

/// Nats on the way and in the end: Memory+ is surprised less, and both recall next to nothing.
results::Comparison with_nats(uint64_t seeds) {
  results::Comparison comparison = tests::fixture::comparison(seeds);
  for (results::RunResult& run : comparison.runs) {
    const double most = run.variant == "dense" ? 6 : 5;
    for (results::RelationScore* score : {&run.seen, &run.unseen}) score->exact_match /= 500, score->nats = most / 2;
    for (results::CurvePoint& point : run.curve) {
      if (point.recall < 0) continue;
      point.recall /= 500;
      point.nats = most * (1 - 0.5 * static_cast<double>(point.tokens) / 3072000.0);
      point.nats_seen = point.nats / 2;
    }
  }
  return comparison;
}

TEST(DecidingMetric, IsRecallInWordingsNeverReadWhereItSaysSomething) {
  EXPECT_EQ(report::deciding_metric(tests::fixture::comparison(2)), "recall");
  EXPECT_EQ(report::deciding_metric(tests::fixture::comparison(2), "nats"), "nats");
  EXPECT_EQ(report::deciding_metric(tests::fixture::comparison(2), "text_loss"), "recall") << "not measured";
  EXPECT_EQ(report::deciding_metric(with_nats(2)), "nats");
  EXPECT_EQ(report::deciding_metric(results::Comparison{}), "recall");
}

TEST(DecidingMetric, IsOfWordingsReadWhereNoOthersWereAsked) {
  results::Comparison comparison = with_nats(2);
  for (results::RunResult& run : comparison.runs) {
    run.unseen = {};
    for (results::CurvePoint& point : run.curve) point.recall = point.nats = -1;
  }
  EXPECT_EQ(report::deciding_metric(comparison), "nats_seen");
  for (results::RunResult& run : comparison.runs) run.seen.exact_match = run.variant == "dense" ? 0.4 : 0.6;
  EXPECT_EQ(report::deciding_metric(comparison), "recall_seen");
  EXPECT_EQ(report::headline(comparison, "recall_seen").answer,
            "Memory+ recalls 60% of the facts in wordings it read; its dense twin recalls 40%.");
  const std::string page = page_of(comparison);
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_TRUE(contains(page, "in wordings that they had read."));
  EXPECT_FALSE(contains(page, "were not asked"));
}

TEST(DecidingMetric, IsAnotherMeasureWhereNothingWasAsked) {
  results::Comparison comparison = with_nats(1);
  for (results::RunResult& run : comparison.runs) {
    run.seen = run.unseen = {};
    run.measures = {{"text_loss", run.variant == "dense" ? 2.5 : 2.25, results::Better::kLower}};
    run.curve.resize(run.variant == "dense" ? 750 / 5 : 300 / 5);
    for (results::CurvePoint& point : run.curve) point.recall = point.recall_seen = point.nats = point.nats_seen = -1;
  }
  const report::Headline told = report::headline(comparison, report::deciding_metric(comparison));
  EXPECT_EQ(told.answer, "Memory+ is ahead of its dense twin: 2.250 against 2.500 (text loss; lower is better).");
  EXPECT_EQ(told.notes.at(0), "Compared where each run ended; they read between 1.23 million and 3.07 million tokens.");
}

TEST(Headline, SpeaksOfNatsWhereAllRecallNextToNothing) {
  const report::Headline told = report::headline(with_nats(2), "nats");
  EXPECT_EQ(told.answer,
            "Memory+ is ahead of its dense twin: 2.500 against 3.000 (nats per answer, wordings never "
            "read; lower is better).");
  EXPECT_TRUE(contains(told.notes.at(0), "No model recalls more than 0.1% of the facts in wordings it never read"));
  EXPECT_TRUE(contains(told.notes.at(2), "Every seed of Memory+ is ahead of every seed of Dense."));
  EXPECT_TRUE(contains(told.notes.at(3), "Dense is ahead of Memory+, 3.0"));
  results::Comparison worse = with_nats(2);
  for (results::RunResult& run : worse.runs) {
    if (run.variant == "memory_plus") run.unseen.nats = 3.5;
  }
  EXPECT_EQ(report::headline(worse, "nats").answer,
            "Memory+ is behind its dense twin: 3.500 against 3.000 (nats per answer, wordings never read; lower is "
            "better).");
  for (results::RunResult& run : worse.runs) run.unseen.nats = run.variant == "dense" ? 3.0 : 3.01;
  EXPECT_TRUE(
      contains(report::headline(worse, "nats").answer, "Memory+ and its dense twin are about level: 3.010 and"));
}

TEST(ReportPage, TellsNatsAtEqualCostWhereTheyDecide) {
  const std::string page = page_of(with_nats(2));
  EXPECT_EQ(tests::markup_fault(page), "");
  EXPECT_TRUE(contains(page, "Nats per answer, of which fewer are better, in wordings never read,"));
  EXPECT_TRUE(contains(page, "Memory+ leads Dense by 0.500"));
  EXPECT_TRUE(contains(page, "3.000 ± 0.000"));
  results::Comparison not_on_the_way = with_nats(2);
  for (results::RunResult& run : not_on_the_way.runs) {
    for (results::CurvePoint& point : run.curve) point.nats = point.nats_seen = -1;
  }
  EXPECT_TRUE(contains(page_of(not_on_the_way), "Recall, the share of questions answered exactly"));
}

TEST(Contest, SetsTheLeaderAgainstTheBaselineOrElseTheBestRival) {
  results::Comparison comparison = tests::fixture::comparison(1);
  comparison.variants.push_back("memory");
  comparison.runs.push_back(tests::fixture::run({"memory", 1, 1, 1e6, 1000, 0.6, 1.4e6, 1}, 1));
  const auto variants = report::summarize(report::completed(comparison));
  const auto ahead = report::contest(variants, results::verdict_at_equal(comparison, results::Axis::kTokens));
  EXPECT_EQ(ahead->leader.name, "memory_plus");
  EXPECT_EQ(ahead->other.name, "dense");
  const results::Comparison worse = with_memory_recall(comparison, 0.1);
  comparison.baseline = "memory";
  const auto baseline =
      report::contest(report::summarize(comparison), results::verdict_at_equal(worse, results::Axis::kTokens));
  EXPECT_EQ(baseline->leader.name, "memory");
  EXPECT_EQ(baseline->other.name, "dense");
}

}  // namespace
}  // namespace memlayers::report
