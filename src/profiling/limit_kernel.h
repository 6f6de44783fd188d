// What the machine can do at most: reading rows at random, and copying. Compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::profiling {

struct LimitKernel {
  /// Reads rows slots[first, last) of `row_bytes` (a multiple of 64) and folds them into one number, so that no read
  /// can be left out. Rows up to `ahead_bytes` further on in `slots` are asked for in advance.
  uint64_t (*gather)(const char* table, int64_t row_bytes, const int64_t* slots, int64_t first, int64_t last,
                     int64_t ahead_bytes);
  /// Copies past the caches; `bytes` a multiple of 64, both ends aligned to 64.
  void (*copy)(char* target, const char* source, int64_t bytes);
};

namespace baseline {
extern const LimitKernel kLimitKernel;
}
namespace avx2 {
extern const LimitKernel kLimitKernel;
}
namespace avx512 {
extern const LimitKernel kLimitKernel;
}

}  // namespace memlayers::profiling
