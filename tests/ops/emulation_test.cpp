// The emulation of CUDA: its words mean what they mean there, and each kind of mistake it claims to see is seen.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "ops/cuda/device.h"

namespace memlayers::ops {
namespace {

using emulation::EmulationError;
using emulation::run;

/// What the emulation says about a kernel; empty: nothing.
std::string complaint(int threads, const std::function<void()>& kernel) {
  try {
    run(1, threads, kernel);
  } catch (const EmulationError& error) {
    return error.what();
  }
  return "";
}

void expect_complaint(const std::string& text, const std::string& words) {
  EXPECT_NE(text.find(words), std::string::npos) << text;
}

TEST(Emulation, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> seen(5 * 70);
  run(5, 70, [&] { ++seen[size_t(block_index()) * 70 + size_t(thread_index())]; });
  EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), 350);
  EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 1);
}

TEST(Emulation, ShufflesReadTheLaneThatCudaReads) {
  std::vector<int> all(32), up(32), down(32), swapped(32), quarter(32);
  run(1, 32, [&] {
    const int lane = lane_index();
    all[lane] = __shfl_sync(kFullMask, lane * 10, 7);
    up[lane] = __shfl_up_sync(kFullMask, lane, 3);
    down[lane] = __shfl_down_sync(kFullMask, lane, 4, 8);
    swapped[lane] = __shfl_xor_sync(kFullMask, lane, 5);
    quarter[lane] = __shfl_sync(kFullMask, lane, 1, 8);
  });
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(all[lane], 70);
    EXPECT_EQ(up[lane], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(down[lane], lane % 8 < 4 ? lane + 4 : lane);
    EXPECT_EQ(swapped[lane], lane ^ 5);
    EXPECT_EQ(quarter[lane], lane / 8 * 8 + 1);
  }
}

TEST(Emulation, ShufflesCarryEightBytesAndVotesCountLanes) {
  run(1, 32, [&] {
    const int lane = lane_index();
    ASSERT_EQ(__shfl_sync(kFullMask, 1e300 + lane, 9), 1e300 + 9);
    ASSERT_EQ(__shfl_sync(kFullMask, int64_t{1} << 40 | lane, 9), int64_t{1} << 40 | 9);
    ASSERT_EQ(__ballot_sync(kFullMask, lane % 3 == 0), 0x49249249u);
    ASSERT_EQ(__any_sync(kFullMask, lane == 31), 1);
    ASSERT_EQ(__all_sync(kFullMask, lane < 31), 0);
    ASSERT_EQ(__reduce_max_sync(kFullMask, uint32_t(lane ^ 21)), 31u);
    ASSERT_EQ(__reduce_min_sync(kFullMask, uint32_t(lane + 4)), 4u);
    ASSERT_EQ(__reduce_add_sync(kFullMask, uint32_t(lane)), 496u);
    ASSERT_EQ(__match_any_sync(kFullMask, uint32_t(lane % 2)), lane % 2 ? 0xAAAAAAAAu : 0x55555555u);
  });
}

TEST(Emulation, HalfAWarpMeetsUnderItsOwnMask) {
  run(1, 32, [&] {
    const uint32_t mask = lane_index() < 16 ? 0x0000FFFF : 0xFFFF0000;
    if (lane_index() < 16) {
      ASSERT_EQ(__reduce_add_sync(mask, 1u), 16u);
    } else {
      ASSERT_EQ(__ballot_sync(mask, lane_index() == 20), 1u << 20);
    }
  });
}

TEST(Emulation, ABarrierShowsEveryWarpWhatTheOthersWrote) {
  std::vector<int> sums(96);
  run(3, 96, [&] {
    MEMLAYERS_SHARED(int, value, 96);
    value[thread_index()] = thread_index();
    __syncthreads();
    int sum = 0;
    for (int i = 0; i < 96; ++i) sum += value[i];
    sums[size_t(thread_index())] = sum;
    __syncthreads();
    value[thread_index()] = 0;
  });
  for (int sum : sums) EXPECT_EQ(sum, 95 * 96 / 2);
}

TEST(Emulation, AtomicsOfManyThreadsAddUp) {
  int64_t largest = 0;
  run(1, 128, [&] {
    MEMLAYERS_SHARED(uint32_t, count, 2);
    if (thread_index() < 2) count[thread_index()] = 0;
    __syncthreads();
    atomicAdd(&count[thread_index() % 2], 1u);
    __syncthreads();
    ASSERT_EQ(count[0], 64u);
    ASSERT_EQ(count[1], 64u);
    atomicMax(&largest, int64_t(thread_index()));
  });
  EXPECT_EQ(largest, 127);
}

TEST(Emulation, AMissingBarrierIsARace) {
  const auto kernel = [](bool with_barrier) {
    return [with_barrier] {
      MEMLAYERS_SHARED(int, value, 64);
      value[thread_index()] = 1;
      if (with_barrier) __syncthreads();
      const int read = value[63 - thread_index()];
      (void)read;
    };
  };
  expect_complaint(complaint(64, kernel(false)), "value[63] is read before it was written");
  EXPECT_EQ(complaint(64, kernel(true)), "");
}

TEST(Emulation, AReadAndALaterWriteWithoutABarrierAreARace) {
  const auto kernel = [](bool with_barrier) {
    return [with_barrier] {
      MEMLAYERS_SHARED(int, value, 64);
      value[thread_index()] = 1;
      __syncthreads();
      const int read = value[63 - thread_index()];
      if (with_barrier) __syncthreads();
      value[thread_index()] = read + 1;
    };
  };
  expect_complaint(complaint(64, kernel(false)), "race on value[");
  expect_complaint(complaint(64, kernel(false)), "no barrier stands between");
  EXPECT_EQ(complaint(64, kernel(true)), "");
}

TEST(Emulation, TwoWritersOfOneElementAreARaceAlsoAcrossWarps) {
  expect_complaint(complaint(2,
                             [] {
                               MEMLAYERS_SHARED(int, value, 1);
                               value[0] = 5;
                             }),
                   "race on value[0]: thread 0 wrote it, this thread writes it");
  expect_complaint(complaint(64,
                             [] {
                               MEMLAYERS_SHARED(int, value, 1);
                               if (thread_index() % 32 == 3) value[0] = 5;
                               __syncwarp();
                             }),
                   "thread 3 wrote it");
}

TEST(Emulation, ABarrierOfAWarpOrdersThatWarpOnly) {
  const auto kernel = [](int distance) {
    return [distance] {
      MEMLAYERS_SHARED(int, value, 128);
      value[thread_index()] = 1;
      value[64 + thread_index()] = 1;
      __syncwarp();
      const int read = value[thread_index() ^ distance];
      (void)read;
    };
  };
  EXPECT_EQ(complaint(64, kernel(1)), "");
  EXPECT_NE(complaint(64, kernel(32)), "");
}

TEST(Emulation, AShuffleIsNoBarrier) {
  expect_complaint(complaint(32,
                             [] {
                               MEMLAYERS_SHARED(int, value, 32);
                               value[thread_index()] = 1;
                               __shfl_sync(kFullMask, 1, 0);
                               const int read = value[thread_index() ^ 1];
                               (void)read;
                             }),
                   "race on value[");
}

TEST(Emulation, AnAtomicAndAPlainAccessAreARace) {
  expect_complaint(complaint(64,
                             [] {
                               MEMLAYERS_SHARED(int, value, 1);
                               if (thread_index() == 0) value[0] = 0;
                               __syncthreads();
                               atomicAdd(&value[0], 1);
                               const int read = value[0];
                               (void)read;
                             }),
                   "race on value[0]");
}

TEST(Emulation, SharedArraysEnd) {
  const auto kernel = [](int64_t index) {
    return [index] {
      MEMLAYERS_SHARED(int, value, 8);
      const SharedPointer<int> rest = value + 4;
      rest[index] = 1;
    };
  };
  EXPECT_EQ(complaint(1, kernel(3)), "");
  expect_complaint(complaint(1, kernel(4)), "shared array value has no element 4 (4 from here on)");
  expect_complaint(complaint(1, kernel(-1)), "has no element -1");
  expect_complaint(complaint(1, [] { emulation::shared<double>(6145, "value"); }), "49152 is the most");
}

TEST(Emulation, MasksMustNameThoseWhoMeet) {
  expect_complaint(complaint(32, [] { __ballot_sync(0xFFFF, true); }), "leaves out the calling lane");
  expect_complaint(complaint(32,
                             [] {
                               if (lane_index() < 16) __ballot_sync(kFullMask, true);
                             }),
                   "nobody can go on: thread 0 at __ballot_sync");
  expect_complaint(complaint(32, [] { __any_sync(lane_index() == 0 ? kFullMask : 0xFFFFFFFE, true); }),
                   "while lane 0 is at __any_sync with mask 0xffffffff");
  expect_complaint(complaint(32,
                             [] {
                               if (lane_index() == 0) __any_sync(kFullMask, true);
                               if (lane_index() != 0) __all_sync(kFullMask, true);
                             }),
                   "is at __any_sync");
  expect_complaint(complaint(32,
                             [] {
                               if (lane_index() == 31) return;
                               __any_sync(0x7FFFFFFF, true);
                               __shfl_sync(0x7FFFFFFF, 1, 31);
                             }),
                   "a shuffle reads lane 31, which mask 0x7fffffff leaves out");
  expect_complaint(complaint(32, [] { __syncwarp(lane_index() < 16 ? 0xFFFF : 0xFFFF0000); }), "whole warps");
}

TEST(Emulation, ALaneThatHasEndedCannotBeNamed) {
  expect_complaint(complaint(64,
                             [] {
                               if (lane_index() == 0) return;
                               __ballot_sync(kFullMask, true);
                             }),
                   "whose lane 0 has ended");
}

TEST(Emulation, ADivergentBarrierIsReportedNotWaitedFor) {
  expect_complaint(complaint(64,
                             [] {
                               if (thread_index() < 40) __syncthreads();
                             }),
                   "nobody can go on: thread 0 at __syncthreads");
  expect_complaint(complaint(64,
                             [] {
                               if (thread_index() < 32) {
                                 __syncthreads();
                               } else {
                                 __syncthreads();
                               }
                             }),
                   "__syncthreads while other threads are at another one");
}

TEST(Emulation, AKernelsOwnExceptionComesOutAndTheNextKernelRuns) {
  EXPECT_THROW(run(1, 64,
                   [] {
                     if (thread_index() == 5) throw std::logic_error("mine");
                     __syncthreads();
                   }),
               std::logic_error);
  EXPECT_EQ(complaint(64, [] { __syncthreads(); }), "");
}

TEST(Emulation, WideLoadsMustBeAligned) {
  alignas(16) float data[8] = {1, 2, 3, 4, 5};
  EXPECT_EQ(complaint(1, [&] { ASSERT_EQ(load_pack<4>(data).at[3], 4); }), "");
  expect_complaint(complaint(1, [&] { load_pack<4>(data + 1); }), "not aligned");
}

}  // namespace
}  // namespace memlayers::ops
