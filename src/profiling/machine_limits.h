// The fastest this machine reads, copies, gathers and multiplies, and from that the least time of an operation.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "profiling/op_rules.h"
#include "results/step_profile.h"

namespace memlayers::profiling {

/// Bytes a second of plain reads and copies of one block, whose size decides which caches hold it. A copy counts what
/// it reads and what it writes.
struct BlockRates {
  double bytes = 0;  // read, and written: half of each in a copy
  double read = 0, copy = 0;
};

struct MachineLimits {
  std::vector<BlockRates> blocks;  // of growing size, the last of 256 MiB
  double gather = 0;               // 0: unknown
  double product = 0, narrow_product = 0;

  /// The longest of: moving as many bytes as fast as a block of that size is read or copied (what is written, no faster
  /// than a copy writes), gathering its rows, multiplying. Nothing where it needs a rate that is unknown.
  std::optional<double> seconds(const OpWork& work) const;
  results::LimitRates rates() const;
};

/// Measures blocks and products on torch's threads, in about a second; `narrow`: bfloat16 products too.
MachineLimits measure_machine(bool narrow);

/// Rate by rate, of two measurements of the same blocks: a machine that is busy with other work shows its limits at
/// some times only.
MachineLimits faster_of(const MachineLimits& a, const MachineLimits& b);

/// Bytes a second of reading all rows that the bags `slots` (each [N, H * k] int64) name in `table` and doing nothing
/// with them. 0 where rows are not whole cache lines, which the plain gather needs, or there is nothing to read.
double measure_gather(const at::Tensor& table, const std::vector<at::Tensor>& slots);

}  // namespace memlayers::profiling
