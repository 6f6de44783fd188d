// How reads spread over a table's slots: the numbers that tell a healthy memory from a collapsed one.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/row_update/row_update.h"

namespace memlayers::training {

struct UsageSummary {
  int64_t reads = 0;
  double read_share = 0;         // share of the slots read at least once
  double kl_to_uniform = 0;      // nats; 0: every slot read equally often; log S: always the same slot
  double top_percent_share = 0;  // share of all reads that fell on the most read 1 % of the slots (one slot at least)
};

/// `reads_per_slot` [S]. Without any read every number is 0.
UsageSummary summarize_usage(std::span<const int64_t> reads_per_slot);

/// Counts the reads of one table over a window (since the last metrics line), and which slots were ever read.
class TableUsage {
 public:
  explicit TableUsage(int64_t slots);

  /// Every entry of the records that were sorted into `touched` is a read.
  void count(const ops::TouchedRows& touched);
  UsageSummary window() const;
  /// Slots never read since the run began.
  int64_t dead_slots() const;
  void start_window();

  /// What a checkpoint keeps: "window" [S] int64 and "ever_read" [S] bool. The tensors are the counters themselves.
  std::vector<std::pair<std::string, at::Tensor>> state() const;

 private:
  at::Tensor window_, ever_read_;
};

}  // namespace memlayers::training
