// Writes the pages that the browser tests look at: make_report FOLDER.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "report/experiment/experiment_page.h"
#include "report/inspection/inspection_page.h"
#include "support/comparison_fixture.h"
#include "support/experiment_fixture.h"
#include "support/inspection_fixture.h"

using namespace memlayers;
using results::Comparison;
namespace fixture = tests::fixture;

namespace {

/// Names nobody would choose, to see that the page holds together.
Comparison long_names() {
  Comparison comparison = tests::fixture::comparison(2);
  const std::string tail = "_with_a_name_that_is_much_too_long_for_a_legend";
  comparison.title = "A<b>&\"title\" " + std::string(120, 'x');
  comparison.command = "memlayers compare " + std::string(300, 'y');
  comparison.baseline += tail;
  for (std::string& variant : comparison.variants) variant += tail;
  for (results::RunResult& run : comparison.runs) {
    run.variant += tail;
    for (results::RelationScore& score : run.relations) score.relation += "_of_whatever_is_longer_than_a_label_may_be";
  }
  for (results::VariantStep& each : comparison.step_times) {
    each.variant += tail;
    each.step.ops[0].name += "::an_operation_whose_name_does_not_end_" + std::string(60, 'o');
    each.step.ops[2].group += " of a kind that has a name as long as this one";
  }
  for (results::Example& example : comparison.examples) {
    for (auto& reply : example.replies) reply = {reply.variant + tail, std::string(200, 'z'), reply.correct};
  }
  return comparison;
}

/// Six variants, two of them close to each other, four memory layers in one.
Comparison many_variants() {
  Comparison comparison = tests::fixture::comparison(2);
  const tests::fixture::Variant more[] = {{"memory", 3'400'000, 2'097'152, 7.7e6, 4'000, 0.61, 1.5e6, 1},
                                          {"mixture_of_experts", 3'400'000, 0, 8.1e6, 5'000, 0.52, 1.6e6, 0},
                                          {"peer", 3'900'000, 2'500'000, 7.7e6, 3'000, 0.6, 1.5e6, 4},
                                          {"dense_2x", 2'600'000, 0, 15.1e6, 4'500, 0.6, 1.6e6, 0}};
  for (const tests::fixture::Variant& variant : more) {
    comparison.variants.push_back(variant.name);
    for (const uint64_t seed : {1, 2}) comparison.runs.push_back(tests::fixture::run(variant, seed));
    comparison.step_times.push_back(tests::fixture::step_of(variant));
  }
  return comparison;
}

/// One run that was asked once and has a single layer's usage.
Comparison sparse() {
  Comparison comparison = tests::fixture::comparison(1);
  comparison.runs.erase(comparison.runs.begin());
  comparison.examples.clear();
  results::RunResult& run = comparison.runs[0];
  run.relations.clear();
  run.slot_usage.resize(1);
  for (results::CurvePoint& point : run.curve) {
    if (point.step != 750) point.recall = point.recall_seen = -1;
  }
  return comparison;
}

/// A run so short that nothing was recalled, in more kinds of fact than one chart takes.
Comparison nothing_recalled() {
  Comparison comparison = tests::fixture::comparison(1);
  for (results::RunResult& run : comparison.runs) {
    for (results::CurvePoint& point : run.curve) point.recall = point.recall_seen = 0;
    run.seen.exact_match = run.unseen.exact_match = 0;
    run.relations.clear();
    for (int r = 0; r < 23; ++r)
      run.relations.push_back(tests::fixture::score("kind_" + std::to_string(r), "unseen", 5 + r, 0));
  }
  return comparison;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_report FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto write = [&](const std::string& name, const Comparison& comparison) {
    base::write_text_atomically(folder / (name + ".html"), report::experiment_page(results::experiment_of(comparison)));
    base::write_text_atomically(folder / (name + ".json"), base::config_to_json(comparison).dump(1));
  };
  write("three_seeds", tests::fixture::comparison(3));
  write("one_seed", tests::fixture::comparison(1));

  write("long_names", long_names());
  write("many_variants", many_variants());
  write("sparse", sparse());
  write("nothing_recalled", nothing_recalled());
  base::write_text_atomically(folder / "inspection.html", report::inspection_page(tests::fixture::full_inspection()));
  const results::Experiment experiment = tests::fixture::experiment();
  base::write_text_atomically(folder / "experiment.html", report::experiment_page(experiment));
  base::write_text_atomically(folder / "index.html",
                              report::index_page({{"experiment.html", experiment}, {"three_seeds.html", experiment}}));
  return 0;
}
