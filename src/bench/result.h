// A measurement as a line of JSON and as a line of a table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/measure.h"

namespace memlayers::bench {

struct Result {
  std::string name;
  nlohmann::ordered_json shape;
  std::string distribution, dtype;
  std::string against;  // empty: no rival
  Timing timing;
  int threads = 1;
  int64_t tokens = 0, bytes = 0;        // of one call; 0: not counted
  double flops = 0, against_flops = 0;  // likewise
  nlohmann::ordered_json more;          // further fields; null: none

  /// Our FLOPs a second over the rival's, by the medians of pairs; 0 where they are not counted.
  double utilization_ratio() const { return against_flops > 0 ? timing.ratio * flops / against_flops : 0; }
};

/// name, shape, distribution, dtype, threads, seconds, against, against_seconds, ratio (these three null without a
/// rival), runs, spread, tokens_per_second, flops_per_second or bytes_per_second where these are counted, and the
/// rival's, utilization_ratio where both have FLOPs, then what `more` holds.
nlohmann::ordered_json to_json(const Result& result);

/// Aligned columns under a heading, a line a result. `more` is left out, but for its peak_bytes and limit_bytes.
std::string table(const std::vector<Result>& results);

}  // namespace memlayers::bench
