// A gather that does nothing with what it reads but fold it, integer by integer: an operation of one cycle, four of
// them independent, is never what it waits for.
#include "profiling/limit_kernel.h"

#include <algorithm>

#include "ops/simd/lanes.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kLine = 64;
constexpr int kPerLine = int(kLine / ops::kVectorBytes);  // vectors of a cache line
constexpr int kChains = kPerLine > 4 ? kPerLine : 4;      // folded apart from each other
constexpr int64_t kLinesAtOnce = kChains / kPerLine;

using Vector = ops::NativeVector<uint64_t>::type;

struct Fold {
  Vector chain[kChains] = {};

  void line(const char* source, int first_chain) {
    for (int v = 0; v < kPerLine; ++v) {
      Vector value;
      __builtin_memcpy(&value, source + v * ops::kVectorBytes, sizeof value);
      chain[first_chain + v] += value;
    }
  }
  uint64_t total() const {
    uint64_t sum = 0;
    for (const Vector& vector : chain) {
      for (int i = 0; i < ops::kVectorBytes / 8; ++i) sum += vector[i];
    }
    return sum;
  }
};

uint64_t gather(const char* table, int64_t row_bytes, const int64_t* slots, int64_t first, int64_t last,
                int64_t ahead_bytes) {
  const int64_t rows_ahead = std::max<int64_t>(1, ahead_bytes / row_bytes);
  const int64_t step = kLinesAtOnce * kLine;
  Fold fold;
  for (int64_t e = first; e < last; ++e) {
    const char* row = table + slots[e] * row_bytes;
    // A line is asked for whenever one is read, so that requests never come in bursts.
    const char* ahead = table + slots[std::min(e + rows_ahead, last - 1)] * row_bytes;
    int64_t b = 0;
    for (; b + step <= row_bytes; b += step) {
      for (int l = 0; l < kLinesAtOnce; ++l) {
        __builtin_prefetch(ahead + b + l * kLine);
        fold.line(row + b + l * kLine, l * kPerLine);
      }
    }
    for (; b < row_bytes; b += kLine) {
      __builtin_prefetch(ahead + b);
      fold.line(row + b, 0);
    }
  }
  return fold.total();
}

void copy(char* target, const char* source, int64_t bytes) {
#if defined(__x86_64__)
  // Stores that go past the caches: ordinary ones would first read what they are about to overwrite.
  for (int64_t b = 0; b < bytes; b += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(target + b),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(source + b)));
  }
  _mm_sfence();
#else
  __builtin_memcpy(target, source, size_t(bytes));
#endif
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const LimitKernel kLimitKernel = {gather, copy};
}

}  // namespace memlayers::profiling
