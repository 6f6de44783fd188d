// An inspection made by hand, for the page and the tables.
#pragma once

#include <limits>

#include "results/inspection.h"

namespace memlayers::tests::fixture {

inline results::HeadUse head_use(int64_t layer, int64_t head) {
  return {layer, head, 0, 800, 40, 2, {layer, 100, 0.6, 0.9, 0.2, std::vector<double>(100, 0.01)}};
}

/// Everything there is to show, with text that markup and terminals would stumble over.
inline results::Inspection full_inspection() {
  results::Inspection made;
  made.model = "runs/<b>&model";
  made.data = "data/world";
  made.split = "train";
  made.documents = 12;
  made.tokens = 4321;
  made.questions = 3;
  made.hot_factor = 10;
  made.tables = {{"model.memory_tables.0.weight", 100, {1, 3}, {30, 50, 20}, 7, {{42, 90, {60, 30}}}}};
  made.layers = {head_use(1, results::kAllHeads), head_use(3, results::kAllHeads)};
  made.heads = {head_use(1, 0), head_use(1, 1), head_use(3, 0), head_use(3, 1)};
  made.pairs = {{0, 1, 3, 20, 24.5}};
  made.since = "step-00000010";
  results::TableDrift drift{"model.memory_tables.0.weight", 100, 60, 1, 0.2, 0.05, 1.5, {}, {}};
  drift.histogram.assign(results::drift_edges().size(), 0);
  drift.histogram[5] = 39;
  drift.most = {{9, std::numeric_limits<double>::infinity(), 2, 0}, {42, 1.5, 3.25, 90}};
  made.drift = {drift};
  made.lights = {
      {42, 0, {{1, 0, 60, 12.5}}, {{"data/world", 5, 3.25, 4, "A \x1b[31m<i>text</i>\nof two lines", "A"}}, {}}};
  results::AskedQuestion asked{17, "Who is \"X\" & Y", "Y", "Nobody", {"Somebody"}, false, {}};
  asked.heads = {{1, 0, {{42, 0.75, 60, 90}, {3, 0.25, 1, 2}}}, {1, 1, {{8, 1, 2, 2}}}};
  made.asked = asked;
  return made;
}

}  // namespace memlayers::tests::fixture
