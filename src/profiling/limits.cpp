#include "profiling/limits.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <cassert>
#include <chrono>

#include "ops/kernel_choice.h"
#include "profiling/limit_kernel.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kTokensPerTask = 16;

const LimitKernel& kernel() {
  static const LimitKernel& chosen =
      ops::choose_kernel("machine limits", baseline::kLimitKernel, avx2::kLimitKernel, avx512::kLimitKernel);
  return chosen;
}

std::atomic<uint64_t> kept{0};  // where folded reads end up, so that they count as used

}  // namespace

void gather_rows(const at::Tensor& table, const at::Tensor& slots, int64_t ahead_bytes) {
  const auto* rows = static_cast<const char*>(table.const_data_ptr());
  const int64_t row_bytes = table.size(1) * int64_t(table.element_size()), bag = slots.size(1);
  assert(row_bytes % 64 == 0);
  const int64_t* slot = slots.const_data_ptr<int64_t>();
  at::parallel_for(0, slots.size(0), kTokensPerTask, [&](int64_t first, int64_t last) {
    kept += kernel().gather(rows, row_bytes, slot, first * bag, last * bag, ahead_bytes);
  });
}

int64_t best_ahead_bytes(const at::Tensor& table, const at::Tensor& slots) {
  constexpr int kTrials = 3;
  int64_t best = 0;
  double best_seconds = 0;
  for (const int64_t ahead : {512, 1024, 2048, 4096, 8192, 16384, 32768}) {
    double seconds = 1e9;
    for (int i = 0; i < kTrials; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      gather_rows(table, slots, ahead);
      seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    if (best == 0 || seconds < best_seconds) {
      best = ahead;
      best_seconds = seconds;
    }
  }
  return best;
}

void stream_copy(const at::Tensor& target, const at::Tensor& source) {
  constexpr int64_t kChunk = 1 << 20;
  auto* to = static_cast<char*>(target.mutable_data_ptr());
  const auto* from = static_cast<const char*>(source.const_data_ptr());
  const auto bytes = int64_t(source.nbytes()) / 64 * 64;
  at::parallel_for(0, (bytes + kChunk - 1) / kChunk, 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kChunk, end = std::min(last * kChunk, bytes);
    kernel().copy(to + begin, from + begin, end - begin);
  });
}

}  // namespace memlayers::profiling
