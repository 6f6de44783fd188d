// Counts of reads as the few numbers that say how they spread over a table.
#pragma once

#include <span>

#include "results/comparison.h"

namespace memlayers::results {

/// Of `reads` [S], how often each slot was read; S is 1 or more. The slots sorted by reads are cut into 100 parts as
/// equal as S allows:
/// the slot at rank r is of part 100 * r / S, so that the first part has ceil(S / 100) slots. All shares are 0 where
/// nothing was read.
SlotUsage usage_of(std::span<const int64_t> reads);

}  // namespace memlayers::results
