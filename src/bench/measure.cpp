#include "bench/measure.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>

#include "base/interrupt.h"

namespace memlayers::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostCallsInASample = 10'000;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double seconds_a_call(const std::function<void()>& work, int calls) {
  const auto begin = Clock::now();
  for (int i = 0; i < calls; ++i) work();
  return seconds_since(begin) / calls;
}

/// Warms up, and says how many calls last as long as a sample should.
int calls_of_a_sample(const std::function<void()>& work, double sample) {
  work();
  const double once = seconds_a_call(work, 1);
  return std::clamp(int(std::ceil(sample / std::max(once, 1e-9))), 1, kMostCallsInASample);
}

/// Linear between the two values nearest to `share` of the sorted list.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * double(sorted.size() - 1);
  const auto below = size_t(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - double(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double median(std::vector<double> values) {
  assert(!values.empty());
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

double relative_spread(std::vector<double> values) {
  assert(!values.empty());
  std::sort(values.begin(), values.end());
  const double middle = quantile(values, 0.5);
  return middle == 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / middle;
}

Timing measure(const std::function<void()>& ours, const std::function<void()>& theirs, const MeasureOptions& options) {
  const int our_calls = calls_of_a_sample(ours, options.sample);
  const int their_calls = theirs ? calls_of_a_sample(theirs, options.sample) : 0;
  std::vector<double> our_seconds, their_seconds, ratios;
  const auto begin = Clock::now();
  while (int(our_seconds.size()) < options.max_pairs) {
    const bool enough = int(our_seconds.size()) >= options.min_pairs && seconds_since(begin) >= options.seconds;
    if (enough || (!our_seconds.empty() && base::interrupted())) break;
    our_seconds.push_back(seconds_a_call(ours, our_calls));
    if (!theirs) continue;
    their_seconds.push_back(seconds_a_call(theirs, their_calls));
    ratios.push_back(their_seconds.back() / our_seconds.back());
  }
  Timing timing;
  timing.seconds = median(our_seconds);
  timing.runs = int(our_seconds.size());
  timing.spread = relative_spread(theirs ? ratios : our_seconds);
  if (!theirs) return timing;
  timing.against_seconds = median(their_seconds);
  timing.ratio = median(ratios);
  return timing;
}

}  // namespace memlayers::bench
