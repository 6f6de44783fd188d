#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/error.h"
#include "ops/column_blocks.h"
#include "ops/row_update/row_update.h"
#include "ops/row_update/row_update_reference.h"
#include "support/allocations.h"
#include "support/seeds.h"
#include "support/tolerance.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

struct RecordShape {
  int64_t tokens, bag_size;
};

BagRecords random_records(uint64_t seed, int64_t num_slots, int64_t value_dim, const std::vector<RecordShape>& shapes) {
  at::manual_seed(seed);
  BagRecords records;
  for (const auto& [tokens, bag_size] : shapes) {
    // Squared, so that low slots occur often.
    const at::Tensor slots = (at::rand({tokens, bag_size}).square() * double(num_slots)).to(at::kLong);
    records.push_back({slots, at::randn({tokens, bag_size}), at::randn({tokens, value_dim})});
  }
  return records;
}

/// The definition in plain loops: record order, then token, then position.
RowGradient definition(const BagRecords& records, int64_t value_dim) {
  std::map<int64_t, std::vector<float>> rows;
  for (const BagRecord& record : records) {
    for (int64_t e = 0; e < record.slots.numel(); ++e) {
      auto& row = rows[record.slots.const_data_ptr<int64_t>()[e]];
      row.resize(static_cast<size_t>(value_dim));
      const float* grad = record.grad_output.const_data_ptr<float>() + e / record.slots.size(1) * value_dim;
      for (int64_t c = 0; c < value_dim; ++c) row[c] += record.weights.const_data_ptr<float>()[e] * grad[c];
    }
  }
  RowGradient result{at::empty({int64_t(rows.size())}, at::kLong),
                     at::empty({int64_t(rows.size()), value_dim}, at::kFloat)};
  int64_t u = 0;
  for (const auto& [slot, values] : rows) {
    result.rows.mutable_data_ptr<int64_t>()[u] = slot;
    std::copy(values.begin(), values.end(), result.values.mutable_data_ptr<float>() + u++ * value_dim);
  }
  return result;
}

TEST(GatherRowGradient, EqualsTheDefinitionBitForBit) {
  for (uint64_t seed : tests::seeds()) {
    SCOPED_TRACE(tests::seed_note(seed));
    for (int64_t dim : {1, 7, 16, 45, 130}) {
      for (int64_t num_slots : {1, 5, 300, 5'000'000}) {
        const BagRecords records = random_records(seed, num_slots, dim, {{30, 8}, {1, 1}, {0, 4}, {5, 0}, {17, 3}});
        const RowGradient actual = gather_row_gradient(records, dim), expected = definition(records, dim);
        EXPECT_TRUE(bit_equal(actual.rows, expected.rows)) << dim << " " << num_slots;
        EXPECT_TRUE(bit_equal(actual.values, expected.values)) << dim << " " << num_slots;
      }
    }
  }
}

TEST(GatherRowGradient, Float64RecordsAgreeWithTheDenseReference) {
  BagRecords records = random_records(1, 40, 9, {{30, 8}, {20, 4}});
  for (BagRecord& record : records) {
    record.weights = record.weights.to(at::kDouble);
    record.grad_output = record.grad_output.to(at::kDouble);
  }
  const RowGradient gradient = gather_row_gradient(records, 9);
  const at::Tensor dense = at::zeros({40, 9}, at::kDouble).index_copy(0, gradient.rows, gradient.values);
  EXPECT_TRUE(at::allclose(dense, dense_gradient_reference(records, 40, 9), 1e-12, 1e-12));
}

TEST(GatherRowGradient, NoRecordsTouchNoRows) {
  const RowGradient gradient = gather_row_gradient({}, 12);
  EXPECT_EQ(gradient.rows.sizes(), (std::vector<int64_t>{0}));
  EXPECT_EQ(gradient.values.sizes(), (std::vector<int64_t>{0, 12}));
  EXPECT_EQ(squared_norm(gradient), 0);
  const BagRecords empty = random_records(1, 4, 12, {{0, 3}});
  EXPECT_EQ(gather_row_gradient(empty, 12).rows.numel(), 0);
}

TEST(GatherRowGradient, MemoryFollowsTheEntriesNotTheSlots) {
  const BagRecords records = random_records(2, 1'000'000'000, 4, {{16, 4}});
  const tests::AllocationWatch watch;
  gather_row_gradient(records, 4);
  EXPECT_GT(watch.largest_bytes(), 0u);
  EXPECT_LE(watch.largest_bytes(), size_t{64 * 4 * 4});
}

TEST(GatherRowGradient, DoesNotDependOnThreads) {
  const BagRecords records = random_records(3, 200, 33, {{300, 8}, {100, 8}});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const RowGradient one = gather_row_gradient(records, 33);
  const double norm = squared_norm(one);
  at::set_num_threads(2);
  const RowGradient two = gather_row_gradient(records, 33);
  EXPECT_TRUE(bit_equal(two.rows, one.rows));
  EXPECT_TRUE(bit_equal(two.values, one.values));
  EXPECT_EQ(squared_norm(two), norm);
  at::set_num_threads(before);
}

TEST(SortRecords, ListsEachRowsEntriesInTheirOrder) {
  const BagRecords records{{at::tensor({7, 2, 7, 0}, at::kLong).view({2, 2}), at::ones({2, 2}), at::ones({2, 1})},
                           {at::tensor({2, 7}, at::kLong).view({1, 2}), at::ones({1, 2}), at::ones({1, 1})}};
  const TouchedRows touched = sort_records(records, 1);
  EXPECT_TRUE(bit_equal(touched.rows, at::tensor({0, 2, 7}, at::kLong)));
  EXPECT_TRUE(bit_equal(touched.row_begins, at::tensor({0, 1, 3, 6}, at::kLong)));
  const int64_t slot = int64_t{1} << 32;
  EXPECT_TRUE(bit_equal(touched.entries,
                        at::tensor({int64_t{3}, 2 * slot + 1, 2 * slot + 4, 7 * slot, 7 * slot + 2, 7 * slot + 5})));
}

TEST(SortRecords, DoesNotDependOnThreads) {
  const BagRecords records =
      random_records(7, 5000, 1, {{9000, 5}, {10, 3}, {4000, 8}});  // more than a part each, and less
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const TouchedRows one = sort_records(records, 1);
  EXPECT_TRUE(at::equal(one.entries, std::get<0>(at::sort(one.entries))));
  for (int threads : {2, 3}) {
    at::set_num_threads(threads);
    const TouchedRows several = sort_records(records, 1);
    EXPECT_TRUE(bit_equal(several.rows, one.rows));
    EXPECT_TRUE(bit_equal(several.row_begins, one.row_begins));
    EXPECT_TRUE(bit_equal(several.entries, one.entries));
  }
  at::set_num_threads(before);
}

TEST(SumRows, HasTheBitsOfTheGatheredGradientsAndKeepsItsBuffer) {
  at::Tensor buffer;
  for (int64_t dim : {33, 33, 5, 300}) {
    const BagRecords records = random_records(5, 300, dim, {{30, 8}, {0, 4}, {5, 0}, {17, 3}});
    const RowGradient expected = gather_row_gradient(records, dim);
    const RowGradient sums = sum_rows(sort_records(records, dim), buffer);
    EXPECT_TRUE(bit_equal(sums.rows, expected.rows));
    EXPECT_TRUE(bit_equal(sums.values, expected.values)) << dim;
    EXPECT_EQ(sums.values.const_data_ptr(), buffer.const_data_ptr());
    const void* before = buffer.const_data_ptr();
    const RowGradient fewer = sum_rows(sort_records({records[0]}, dim), buffer);
    EXPECT_TRUE(bit_equal(fewer.values, gather_row_gradient({records[0]}, dim).values));
    EXPECT_EQ(buffer.const_data_ptr(), before);
  }
  EXPECT_EQ(sum_rows(sort_records({}, 300), buffer).values.size(0), 0);
}

/// The squared norm in plain loops: sixteen rows and a block of columns at a time, through sixteen lanes.
double ordered_squares(const at::Tensor& values) {
  const int64_t rows = values.size(0), dim = values.size(1), blocks = column_blocks(dim), width = dim / blocks;
  BlockTree<double> tree;
  for (int64_t block = 0; block < blocks; ++block) {
    double total = 0;
    for (int64_t run = 0; run < rows; run += 16) {
      double lane[16] = {};
      for (int64_t r = run; r < std::min(run + 16, rows); ++r) {
        const float* row = values.const_data_ptr<float>() + r * dim + block * width;
        for (int64_t c = 0; c < width; ++c) lane[c % 16] += double(row[c]) * double(row[c]);
      }
      for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
      }
      total += lane[0];
    }
    tree.add(total);
  }
  return tree.total();
}

TEST(SquaredNorm, HasTheBitsOfPlainLoops) {
  at::manual_seed(5);
  for (int64_t dim : {1, 16, 45, 64, 300, 5000}) {
    for (int64_t rows : {0, 1, 16, 50}) {
      const RowGradient gradient{at::arange(rows, at::kLong), at::randn({rows, dim})};
      EXPECT_EQ(squared_norm(gradient), ordered_squares(gradient.values)) << "D " << dim << " U " << rows;
    }
  }
}

TEST(SquaredNorm, SumsInDouble) {
  const RowGradient integers{at::arange(3, at::kLong), at::arange(3 * 21, at::kFloat).view({3, 21})};
  EXPECT_EQ(squared_norm(integers), 62.0 * 63 * 125 / 6);
  const at::Tensor values = at::randn({50, 37});
  const double expected = values.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(squared_norm(RowGradient{at::arange(50, at::kLong), values}), expected, 1e-12 * expected);
}

TEST(SquaredNorm, ThoseOfColumnSlicesAddUpToTheBitsOfTheWhole) {
  for (int64_t dim : {128, 384, 2048}) {
    const BagRecords records = random_records(6, 300, dim, {{30, 8}, {0, 4}, {17, 3}});
    const double whole = squared_norm(gather_row_gradient(records, dim));
    for (int64_t slices : {2, 4, 8}) {
      const int64_t width = dim / slices;
      BlockTree<double> tree;
      for (int64_t c = 0; c < dim; c += width) {
        BagRecords columns = records;
        for (BagRecord& record : columns) record.grad_output = record.grad_output.narrow(1, c, width).contiguous();
        tree.add(squared_norm(gather_row_gradient(columns, width)));
      }
      EXPECT_EQ(tree.total(), whole) << "D " << dim << " / " << slices;
    }
  }
}

TEST(ColumnBlocks, AreThoseOfTheSlices) {
  for (int64_t dim : {0, 1, 15, 17, 16, 48, 100, 1040}) EXPECT_EQ(column_blocks(dim), 1) << dim;
  EXPECT_EQ(column_blocks(64), 4);
  EXPECT_EQ(column_blocks(1536), 32);
  for (int64_t slices = 1; slices <= 64; slices *= 2) {
    for (int64_t units : {1, 3, 4, 6}) {
      EXPECT_EQ(column_blocks(16 * units * slices), slices * column_blocks(16 * units));
    }
  }
}

TEST(GatherRowGradient, MisuseIsToldInOneSentence) {
  const auto message = [](BagRecords records, int64_t value_dim) -> std::string {
    try {
      gather_row_gradient(records, value_dim);
    } catch (const base::UsageError& error) {
      return error.what();
    }
    return "no error";
  };
  const BagRecords good = random_records(4, 10, 3, {{4, 2}});
  EXPECT_NE(message(good, 5).find("grad_output must be [4, 5], got [4, 3]"), std::string::npos);
  BagRecords mixed = random_records(4, 10, 3, {{4, 2}, {4, 2}});
  mixed[1].weights = mixed[1].weights.to(at::kDouble);
  EXPECT_NE(message(mixed, 3).find("all records must be float32, or all float64"), std::string::npos);
  BagRecords negative = good;
  negative[0].slots = negative[0].slots - 100;
  EXPECT_NE(message(negative, 3).find("must be in [0, 2^32)"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
