// What the emulated run of the op suites adds: that they do run on the CUDA kernels.
#include <gtest/gtest.h>

#include <ATen/Functions.h>

#include "ops/cuda/emulation.h"
#include "ops/memory_bag/memory_bag.h"

namespace memlayers::ops {
namespace {

/// Blocks that `call` runs on the emulation.
template <class Call>
int64_t blocks_of(Call call) {
  const int64_t before = emulation::blocks_run();
  call();
  return emulation::blocks_run() - before;
}

TEST(CudaEmulation, TakesThePlaceOfTheCpuKernels) {
  const at::Tensor table = at::randn({9, 6}), slots = at::randint(9, {5, 3}, at::kLong), weights = at::randn({5, 3});
  EXPECT_GT(blocks_of([&] { memory_bag(table, slots, weights, nullptr); }), 0);
  EXPECT_GT(blocks_of([&] { memory_bag_weight_gradient(table, slots, at::randn({5, 6})); }), 0);
}

}  // namespace
}  // namespace memlayers::ops
