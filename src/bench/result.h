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
  int64_t tokens = 0, bytes = 0;  // of one call; 0: not counted
  nlohmann::ordered_json more;    // further fields; null: none
};

/// name, shape, distribution, dtype, threads, seconds, against, against_seconds, ratio (these three null without a rival), runs,
/// spread, tokens_per_second or bytes_per_second where tokens or bytes are counted, and the rival's, then what `more` holds.
nlohmann::ordered_json to_json(const Result& result);

/// Aligned columns under a heading, a line a result. `more` is left out, but for its peak_bytes and limit_bytes.
std::string table(const std::vector<Result>& results);

}  // namespace memlayers::bench
