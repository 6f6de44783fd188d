// Timing two ways of doing the same thing against each other on a machine that is busy with other work as well.
//
// They run in turns (ours, theirs, ours, theirs, ...), so what slows the machine for a second slows both, and the ratio
// is the median of the pairs' ratios, which one disturbed pair does not move.
#pragma once

#include <functional>
#include <vector>

namespace memlayers::bench {

/// The middle value, or the mean of the two middle ones; `values` must not be empty.
double median(std::vector<double> values);
/// Distance between the quartiles over the median: 0.1 means that half of the values lie within 10 %.
double relative_spread(std::vector<double> values);

struct MeasureOptions {
  double seconds = 2;   // spent on one comparison, beyond the pairs below
  int min_pairs = 5;    // even where they take longer
  int max_pairs = 200;  // more do not steady the median
  double sample =
      1e-2;  // shorter calls are made many times at once, since a busy machine deals out its cores in milliseconds
};

struct Timing {
  double seconds = 0;          // ours, median of one call
  double against_seconds = 0;  // theirs; 0 without a rival
  double ratio = 0;            // median of theirs over ours; 0 without a rival
  double spread = 0;           // of the ratios; without a rival, of our seconds
  int runs = 0;                // pairs that were timed
};

/// Runs each once to warm up, then both in turns. `theirs` may be empty. Stops early, with fewer pairs than wanted,
/// when the process is interrupted.
Timing measure(const std::function<void()>& ours, const std::function<void()>& theirs, const MeasureOptions& options);

}  // namespace memlayers::bench
