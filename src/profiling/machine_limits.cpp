#include "profiling/machine_limits.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>

#include "profiling/limits.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kRow = 4096;  // of a block that is read
constexpr int64_t kChunk = int64_t{1} << 15;
constexpr double kSecondsEach = 0.03;
constexpr int kLeastCalls = 5;

/// Of the fastest call: whatever else runs on the machine can only slow one down.
template <class Call>
double best_seconds(const Call& call) {
  using Clock = std::chrono::steady_clock;
  double best = 0, spent = 0;
  for (int i = 0; i < kLeastCalls || spent < kSecondsEach; ++i) {
    const auto begin = Clock::now();
    call();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = i == 0 ? seconds : std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

/// Through the caches, unlike stream_copy.
void cached_copy(const at::Tensor& target, const at::Tensor& source) {
  auto* to = static_cast<char*>(target.mutable_data_ptr());
  const auto* from = static_cast<const char*>(source.const_data_ptr());
  at::parallel_for(0, int64_t(source.nbytes()), kChunk,
                   [&](int64_t first, int64_t last) { std::memcpy(to + first, from + first, size_t(last - first)); });
}

BlockRates measure_block(int64_t bytes) {
  const at::Tensor block = at::ones({bytes / kRow, kRow / 4}, at::kFloat);
  const at::Tensor rows = at::arange(block.size(0), at::kLong).view({-1, 1});
  const at::Tensor source = block.narrow(0, 0, block.size(0) / 2), target = at::zeros_like(source);
  const double read = best_seconds([&] { gather_rows(block, rows, kRow); });
  const double copy =
      std::min(best_seconds([&] { cached_copy(target, source); }), best_seconds([&] { stream_copy(target, source); }));
  return {double(bytes), double(bytes) / read, double(bytes) / copy};
}

double measure_product(at::ScalarType dtype) {
  double best = 0;
  for (const int64_t n : {256, 512, 1024}) {
    const at::Tensor left = at::ones({n, n}, dtype), right = at::ones({n, n}, dtype), out = at::empty({n, n}, dtype);
    const double seconds = best_seconds([&] {
      at::Tensor result = out;
      at::mm_out(result, left, right);
    });
    best = std::max(best, 2.0 * double(n * n * n) / seconds);
  }
  return best;
}

/// The fastest at this size or a larger one: a larger block is slower but for what it costs to begin.
double rate_of(const std::vector<BlockRates>& blocks, double BlockRates::*rate, double bytes) {
  double best = 0;
  for (size_t i = blocks.size(); i-- > 0;) {
    best = std::max(best, blocks[i].*rate);
    if (blocks[i].bytes <= bytes) break;
  }
  return best;
}

}  // namespace

std::optional<double> MachineLimits::seconds(const OpWork& work) const {
  const double moved = work.read_bytes + work.written_bytes;
  const double copied = 2 * std::min(work.read_bytes, work.written_bytes);
  const bool unknown = (work.gathered_bytes > 0 && gather == 0) || (moved > 0 && blocks.empty()) ||
                       (work.flops > 0 && product == 0) || (work.narrow_flops > 0 && narrow_product == 0);
  if (unknown) return std::nullopt;
  double least = 0;
  // What is read and written in place takes up half of what it moves. One core may copy more bytes a second than it
  // reads.
  const double read = rate_of(blocks, &BlockRates::read, moved / 2),
               copy = rate_of(blocks, &BlockRates::copy, moved / 2);
  if (moved > 0) least = std::max(least, moved / std::max(read, copy));
  if (copied > 0) least = std::max(least, copied / copy);
  if (work.gathered_bytes > 0) least = std::max(least, work.gathered_bytes / gather);
  const double multiplying =
      (work.flops > 0 ? work.flops / product : 0) + (work.narrow_flops > 0 ? work.narrow_flops / narrow_product : 0);
  return std::max(least, multiplying);
}

results::LimitRates MachineLimits::rates() const {
  return {blocks.empty() ? 0 : blocks.back().read, blocks.empty() ? 0 : blocks.back().copy, gather, product,
          narrow_product};
}

MachineLimits measure_machine(bool narrow) {
  const at::NoGradGuard no_grad;
  MachineLimits limits;
  // One for each level of caches, and one larger than all but the largest servers share among many cores.
  for (const int shift : {14, 18, 21, 24, 28}) limits.blocks.push_back(measure_block(int64_t{1} << shift));
  limits.product = measure_product(at::kFloat);
  if (narrow) limits.narrow_product = measure_product(at::kBFloat16);
  return limits;
}

MachineLimits faster_of(const MachineLimits& a, const MachineLimits& b) {
  MachineLimits both = a;
  assert(a.blocks.size() == b.blocks.size());
  for (size_t i = 0; i < a.blocks.size(); ++i) {
    both.blocks[i].read = std::max(a.blocks[i].read, b.blocks[i].read);
    both.blocks[i].copy = std::max(a.blocks[i].copy, b.blocks[i].copy);
  }
  both.gather = std::max(a.gather, b.gather);
  both.product = std::max(a.product, b.product);
  both.narrow_product = std::max(a.narrow_product, b.narrow_product);
  return both;
}

double measure_gather(const at::Tensor& table, const std::vector<at::Tensor>& slots) {
  const int64_t row_bytes = table.size(1) * int64_t(table.element_size());
  if (row_bytes % kLine != 0 || slots.empty()) return 0;
  const int64_t ahead = best_ahead_bytes(table, slots.front());
  std::vector<at::Tensor> bags;
  double bytes = 0;
  for (const at::Tensor& each : slots) {
    bags.push_back(each.contiguous());
    bytes += double(each.numel()) * double(row_bytes);
  }
  // All of them before the first again: a few bags would stay in a nearer cache than a step leaves them in.
  return bytes / best_seconds([&] {
           for (const at::Tensor& each : bags) gather_rows(table, each, ahead);
         });
}

}  // namespace memlayers::profiling
