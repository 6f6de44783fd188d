// Pages of experiments: one each, and an index over all.
#pragma once

#include <string>
#include <vector>

#include "results/experiment.h"

namespace memlayers::report {

/// The whole HTML file, self-contained as the report is: verdicts, charts, the table of variants, the paper's own
/// numbers beside ours, how it was measured.
std::string experiment_page(const results::Experiment& experiment);

/// One experiment and where its page lies, as a link from the index.
struct IndexEntry {
  std::string link;
  results::Experiment experiment;
};
/// The index: what of the paper is where, and each verdict.
std::string index_page(const std::vector<IndexEntry>& entries);

}  // namespace memlayers::report
