// What was claimed before a run, decided after it.
#pragma once

#include "results/experiment.h"

namespace memlayers::results {

/// Mean and its 95 % confidence interval by Student's t; low = high = mean for one value.
struct MeanInterval {
  int64_t count = 0;
  double mean = 0, low = 0, high = 0;
};
MeanInterval mean_interval(const std::vector<double>& values);

/// Several variants: every neighboring pair of `order` is compared by the gain of the better over the worse within each
/// seed (both read the same batches in the same order, so the seed's luck with them cancels), and met where the
/// interval of the mean gain lies above at_least (0) for every pair. One variant: met where the interval of its mean
/// lies within at_least and at_most. `seeds` were planned: where a run of them is missing (or one seed is all), the
/// criterion is undecided, unless a pair that is complete misses already. The note names the pair with the weakest
/// evidence and says whether the ranges over seeds overlap.
CriterionResult decide(const CriterionSpec& criterion, const Comparison& comparison, int64_t seeds);

}  // namespace memlayers::results
