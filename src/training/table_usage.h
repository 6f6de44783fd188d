// Counts a table's reads while it is trained.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/row_update/row_update.h"

namespace memlayers::training {

/// Counts the reads of one table over a window (since the last metrics line), and which slots were ever read.
class TableUsage {
 public:
  explicit TableUsage(int64_t slots);

  /// Every entry of the records that were sorted into `touched` is a read.
  void count(const ops::TouchedRows& touched);
  /// [S], of this window.
  std::span<const int64_t> window() const;
  /// Slots never read since the run began.
  int64_t dead_slots() const;
  void start_window();

  /// What a checkpoint keeps: "window" [S] int64 and "ever_read" [S] bool. The tensors are the counters themselves.
  std::vector<std::pair<std::string, at::Tensor>> state() const;

 private:
  at::Tensor window_, ever_read_;
};

}  // namespace memlayers::training
