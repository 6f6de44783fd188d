// Runs cases one after another.
#pragma once

#include <functional>
#include <vector>

#include "bench/case.h"
#include "bench/result.h"

namespace memlayers::bench {

struct RunOptions {
  MeasureOptions measure;
  int threads = 0;  // 0: as many as a case asks for, else torch's choice
  bool progress = true;
};

struct RunOutcome {
  std::vector<Result> results;
  std::vector<std::string> failures;  // bounds that were broken, a sentence each
  bool interrupted = false;
};

/// Measures every case against each of its rivals, and hands each result to `on_result` as it comes. Progress goes to
/// stderr. Stops between two comparisons when the process is interrupted.
RunOutcome run(const std::vector<Case>& cases, const RunOptions& options,
               const std::function<void(const Result&)>& on_result = {});

}  // namespace memlayers::bench
