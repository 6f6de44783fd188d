#include "training/table_usage.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>

namespace memlayers::training {
namespace {

/// What is left of a bag's reads at the optimizer step. slots [N, M] int64.
ops::TouchedRows reads_of(const at::Tensor& slots) {
  return ops::sort_records({{slots, at::ones(slots.sizes()), at::ones({slots.size(0), 2})}}, 2);
}

TEST(TableUsage, CountsAWindowAndRemembersSlotsNeverRead) {
  const auto window = [](const TableUsage& usage) {
    return std::vector<int64_t>(usage.window().begin(), usage.window().end());
  };
  TableUsage usage(5);
  usage.count(reads_of(at::tensor({0, 0, 3, 3, 3, 1}, at::kLong).view({2, 3})));
  EXPECT_EQ(window(usage), (std::vector<int64_t>{2, 1, 0, 3, 0}));
  EXPECT_EQ(usage.dead_slots(), 2);
  usage.start_window();
  EXPECT_EQ(window(usage), (std::vector<int64_t>{0, 0, 0, 0, 0}));
  usage.count(reads_of(at::tensor({4}, at::kLong).view({1, 1})));
  EXPECT_EQ(window(usage), (std::vector<int64_t>{0, 0, 0, 0, 1}));
  EXPECT_EQ(usage.dead_slots(), 1);
}

}  // namespace
}  // namespace memlayers::training
