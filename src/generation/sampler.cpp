#include "generation/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace memlayers::generation {
namespace {

/// The lowest id of the largest logit. Many running maxima, since one is a chain that no processor can hurry.
int64_t largest(std::span<const float> logits) {
  constexpr size_t kLanes = 32;
  std::array<float, kLanes> most;
  most.fill(-std::numeric_limits<float>::infinity());
  const size_t whole = logits.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) most[lane] = std::max(most[lane], logits[i + lane]);
  }
  for (size_t i = whole; i < logits.size(); ++i) most[0] = std::max(most[0], logits[i]);
  const auto found = std::find(logits.begin(), logits.end(), *std::max_element(most.begin(), most.end()));
  return found == logits.end() ? 0 : found - logits.begin();  // the former where none is a number
}

}  // namespace

void check_sampling(const SamplingOptions& options) {
  base::check(options.max_new_tokens >= 0, "max_new_tokens: expected 0 or more, got ", options.max_new_tokens);
  base::check(options.temperature >= 0 && std::isfinite(options.temperature),
              "temperature: expected 0 (greedy) or more, got ", options.temperature);
  base::check(options.top_k >= 0, "top_k: expected 0 (all) or more, got ", options.top_k);
  base::check(options.top_p > 0 && options.top_p <= 1, "top_p: expected a share above 0 and at most 1, got ",
              options.top_p);
}

int64_t sample(std::span<const float> logits, const SamplingOptions& options, base::RandomStream& stream) {
  if (options.temperature == 0) return largest(logits);

  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  size_t kept = ids.size();
  if (options.top_k > 0) kept = std::min(kept, static_cast<size_t>(options.top_k));
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end(), before);

  std::vector<double> cumulative(kept);
  double sum = 0;
  const double highest = logits[ids[0]];
  for (size_t i = 0; i < kept; ++i) {
    sum += std::exp((logits[ids[i]] - highest) / options.temperature);
    cumulative[i] = sum;
  }
  if (options.top_p < 1) {
    const auto end = std::lower_bound(cumulative.begin(), cumulative.end(), options.top_p * sum);
    kept = std::min(kept, static_cast<size_t>(end - cumulative.begin()) + 1);
    sum = cumulative[kept - 1];
  }
  const double drawn = stream.uniform() * sum;
  const auto found =
      std::upper_bound(cumulative.begin(), cumulative.begin() + static_cast<std::ptrdiff_t>(kept), drawn);
  const size_t rank = std::min(static_cast<size_t>(found - cumulative.begin()), kept - 1);
  return ids[rank];
}

}  // namespace memlayers::generation
