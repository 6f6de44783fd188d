// One thing that is measured, and what it is measured against.
//
// A case is cheap until it is made: its workload allocates. The command line and the Google Benchmark program read the
// same list of cases (bench/catalog.h).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memlayers::bench {

/// Another way to the same result, or a limit that no way can pass.
struct Rival {
  std::string name;  // torch, torch_gather, torch_sparse, dense_twin, small_table, gather_limit, copy_limit
  std::function<void()> run;
  double flops = 0;  // of one call, as Workload's
};

struct Workload {
  std::function<void()> ours;
  std::vector<Rival> rivals;  // none: only our own time is reported
  int64_t tokens = 0;         // of one call of ours and of each rival; 0: not counted
  double flops = 0;           // of one call of ours, by the model's formulas; 0: not counted
  int64_t bytes = 0;          // of table rows that one call reads; 0: not counted
  /// Asked once after the timing, for further fields of this case's lines. A field `failure` says that a bound is
  /// broken, and how.
  std::function<nlohmann::ordered_json()> more;
};

struct Case {
  std::string name;
  nlohmann::ordered_json shape;  // letters of docs/notation.md
  std::string distribution;      // of the slots: uniform, zipf 1.05, trained; of queries: normal; of tokens: zipf 1.05
  std::string dtype;
  std::vector<std::string> against;  // names of the workload's rivals, in order
  std::function<Workload()> make;
  int threads = 0;  // 0: as many as were asked for
};

}  // namespace memlayers::bench
