// Where the time of a training step goes, operation by operation, each beside the least time it could take. Plain
// numbers without torch, for files and reports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"

namespace memlayers::results {

/// Seconds of one step's parts.
struct StepParts {
  double forward = 0, backward = 0;
  double measure = 0;  // sums of row gradients, both norms
  double apply = 0;    // dense AdamW, row updates

  double seconds() const { return forward + backward + measure + apply; }
  static constexpr auto fields() {
    using base::field;
    using C = StepParts;
    return std::tuple{field("forward", &C::forward, ""), field("backward", &C::backward, ""),
                      field("row_gradient_and_norms", &C::measure, ""), field("update", &C::apply, "")};
  }
};

/// One operation over all its calls in a step.
struct OpProfile {
  std::string name, group;              // group: words for a reader, see op_rules.h
  double seconds = 0;                   // in itself, without listed operations that it calls
  std::optional<double> limit_seconds;  // nothing where no limit can be stated
  static constexpr auto fields() {
    using base::field;
    using C = OpProfile;
    return std::tuple{field("name", &C::name, ""), field("group", &C::group, ""), field("seconds", &C::seconds, ""),
                      field("limit_seconds", &C::limit_seconds, "")};
  }
};

/// What the limits were computed from, measured on the step's threads. Bytes and FLOPs a second; 0: not measured.
struct LimitRates {
  double memory_read = 0, memory_copy = 0;  // of 256 MiB; a copy counts what it reads and writes
  double gather = 0;                        // the rows that the step's bags read
  double product = 0, narrow_product = 0;   // large matrix products in float32 and in bfloat16
  static constexpr auto fields() {
    using base::field;
    using C = LimitRates;
    return std::tuple{field("memory_read", &C::memory_read, ""), field("memory_copy", &C::memory_copy, ""),
                      field("gather", &C::gather, ""), field("product", &C::product, ""),
                      field("narrow_product", &C::narrow_product, "")};
  }
};

struct StepProfile {
  std::string machine;
  int64_t threads = 0;
  int64_t steps = 0;  // that were taken; this is the fastest
  double seconds = 0;
  StepParts parts;
  std::vector<OpProfile> ops;  // longest first; their seconds add up to `seconds`
  LimitRates rates;
  static constexpr auto fields() {
    using base::field;
    using C = StepProfile;
    return std::tuple{field("machine", &C::machine, ""), field("threads", &C::threads, ""),
                      field("steps", &C::steps, ""),     field("seconds", &C::seconds, ""),
                      field("parts", &C::parts, ""),     field("ops", &C::ops, ""),
                      field("rates", &C::rates, "")};
  }
};

}  // namespace memlayers::results
