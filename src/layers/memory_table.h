// The value rows, shared by pointer between all memory layers (or n-gram layers) of a model.
//
// A layer only reads rows through `before_read`, and leaves its gradient as records. Who keeps rows up to date (an
// optimizer that replays skipped steps), and where rows live (later: another process), is applied from outside.
#pragma once

#include <functional>

#include "ops/memory_bag/memory_bag.h"

namespace memlayers::layers {

/// What a table's rows are found by: a hidden state's query, or token ids alone.
enum class Addressing { kProductKeys, kNgrams };

struct MemoryTable {
  at::Tensor weight;  // [S, D]; never requires a gradient
  Addressing addressing = Addressing::kProductKeys;
  std::shared_ptr<ops::BagRecords> records = std::make_shared<ops::BagRecords>();
  /// Called with the slots of a bag before its rows are read; the default does nothing.
  std::function<void(const at::Tensor& slots)> before_read;
  /// Called with (layer, slots, weights), both [N, H*k], after each read; for usage statistics. In training with random_reads
  /// r, [N, H*(k + r)]. May be empty.
  std::function<void(int64_t layer, const at::Tensor& slots, const at::Tensor& weights)> after_read;
};

}  // namespace memlayers::layers
