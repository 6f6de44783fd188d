// How many threads are worth having.
#pragma once

#include <cstdint>

namespace memlayers::base {

/// `wanted` (1 or more), but no more threads than this process may use processors: more of them than that wait for each
/// other. Warns where it gives fewer.
int useful_threads(int64_t wanted);

}  // namespace memlayers::base
