#include "profiling/limits.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "profiling/machine_limits.h"

namespace memlayers::profiling {
namespace {

TEST(StreamCopy, CopiesEveryByte) {
  const at::Tensor source = at::randn({3, 1 << 18}), target = at::zeros_like(source);
  stream_copy(target, source);
  EXPECT_TRUE(at::equal(source, target));
}

TEST(GatherRows, ReadsNothingOutsideOfTheTable) {  // the address sanitizer looks
  for (const int64_t dim : {16, 48, 256}) {
    const at::Tensor table = at::ones({7, dim}), slots = at::arange(165, at::kLong).remainder(7).view({33, 5});
    gather_rows(table, slots, 4096);
    EXPECT_GT(best_ahead_bytes(table, slots), 0);
  }
}

/// Numbers that make every quotient exact.
MachineLimits simple_limits() {
  MachineLimits limits;
  limits.blocks = {{1024, 64, 32}, {4096, 16, 8}};
  limits.gather = 4;
  limits.product = 128;
  limits.narrow_product = 256;
  return limits;
}

TEST(MachineLimits, TakeTheLongestOfMovingGatheringAndMultiplying) {
  const MachineLimits limits = simple_limits();
  EXPECT_EQ(limits.seconds({.flops = 256}), 2);
  EXPECT_EQ(limits.seconds({.flops = 256, .narrow_flops = 256}), 3);
  EXPECT_EQ(limits.seconds({.flops = 256, .read_bytes = 640}), 10);
  EXPECT_EQ(limits.seconds({.flops = 256, .read_bytes = 640, .gathered_bytes = 80}), 20);
  EXPECT_EQ(limits.seconds({}), 0);
}

TEST(MachineLimits, LookUpTheRateOfABlockAsLargeAsWhatIsMoved) {
  const MachineLimits limits = simple_limits();
  EXPECT_EQ(limits.seconds({.read_bytes = 8191}), 8191.0 / 64);  // half of it may be written back in place
  EXPECT_EQ(limits.seconds({.read_bytes = 8192}), 8192.0 / 16);
  EXPECT_EQ(limits.seconds({.read_bytes = 1e6}), 1e6 / 16);
  EXPECT_EQ(limits.seconds({.read_bytes = 1}), 1.0 / 64);
}

TEST(MachineLimits, WriteNoFasterThanACopyDoes) {
  const MachineLimits limits = simple_limits();
  EXPECT_EQ(limits.seconds({.read_bytes = 320, .written_bytes = 320}), 20);           // 640 as a copy
  EXPECT_EQ(limits.seconds({.read_bytes = 6400, .written_bytes = 64}), 6464.0 / 64);  // mostly read
}

TEST(MachineLimits, MoveAsFastAsTheFasterOfReadingAndCopying) {
  MachineLimits limits = simple_limits();
  limits.blocks[0].copy = 128;
  EXPECT_EQ(limits.seconds({.read_bytes = 320, .written_bytes = 320}), 5);
}

TEST(MachineLimits, AreRatesOfTheSizeAtHandOrTheFasterOnesOfLargerBlocks) {
  MachineLimits limits = simple_limits();
  limits.blocks[0] = {1024, 2, 1};  // so small that beginning takes longest
  EXPECT_EQ(limits.seconds({.read_bytes = 320}), 20);
}

TEST(MachineLimits, OfTwoMeasurementsAreTheFasterRateByRate) {
  MachineLimits other = simple_limits();
  other.blocks[0].read = 100;
  other.blocks[1].copy = 1;
  other.product = 64;
  const MachineLimits both = faster_of(simple_limits(), other);
  EXPECT_EQ(both.blocks[0].read, 100);
  EXPECT_EQ(both.blocks[1].copy, 8);
  EXPECT_EQ(both.product, 128);
}

TEST(MachineLimits, SayNothingWhereARateIsUnknown) {
  MachineLimits limits = simple_limits();
  limits.gather = 0;
  EXPECT_FALSE(limits.seconds({.gathered_bytes = 1}).has_value());
  EXPECT_TRUE(limits.seconds({.flops = 1}).has_value());
  limits.narrow_product = 0;
  EXPECT_FALSE(limits.seconds({.narrow_flops = 1}).has_value());
  EXPECT_FALSE(MachineLimits{}.seconds({.read_bytes = 1}).has_value());
}

TEST(MeasureGather, NeedsRowsOfWholeCacheLines) {
  const at::Tensor slots = at::arange(64, at::kLong).view({16, 4});
  EXPECT_GT(measure_gather(at::ones({64, 16}), {slots}), 0);
  EXPECT_EQ(measure_gather(at::ones({64, 8}), {slots}), 0);
  EXPECT_EQ(measure_gather(at::ones({64, 16}), {}), 0);
}

}  // namespace
}  // namespace memlayers::profiling
