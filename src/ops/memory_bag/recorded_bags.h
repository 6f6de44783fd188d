// Slots in recorded CUDA graphs: who replays one asks here whether they were all inside their tables.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::ops {

/// Throws base::UsageError if, since the last call or the last memory_bag outside of a graph, a graph that was replayed
/// on `table`'s device read a slot outside its table (it read slot 0 instead). Waits for the current stream. Nothing to
/// do on the CPU, where every call looks at its slots.
void check_recorded_bags(const at::Tensor& table);

}  // namespace memlayers::ops
