#include "ops/memory_read/memory_read.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/memory_read/memory_read_reference.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

constexpr double kEps = 1e-5;

/// A layer without its projections.
struct Layer {
  at::Tensor norm_weight, table;
  PackedSubKeys keys;
  int64_t heads, key_dim, k;

  Layer(int64_t num_heads, int64_t num_sub_keys, int64_t width, int64_t top_k, int64_t value_dim)
      : norm_weight(at::randn({2, width / 2})),
        table(at::randn({num_sub_keys * num_sub_keys, value_dim})),
        keys(pack_sub_keys(at::randn({num_heads, 2, num_sub_keys, width / 2}))),
        heads(num_heads),
        key_dim(width),
        k(top_k) {}

  at::Tensor queries(int64_t tokens) const { return at::randn({tokens, heads, key_dim}); }
  at::Tensor read(const at::Tensor& query, bool with_norm = true) const {
    return read_memory(query, norm(with_norm), kEps, keys, k, table);
  }
  at::Tensor composed(const at::Tensor& query, bool with_norm = true) const {
    return read_memory_reference(query, norm(with_norm), kEps, keys, k, table);
  }

 private:
  std::optional<at::Tensor> norm(bool with_norm) const { return with_norm ? std::optional(norm_weight) : std::nullopt; }
};

TEST(ReadMemory, HasTheBitsOfItsOpsOneByOne) {
  const at::NoGradGuard guard;
  at::manual_seed(1);
  // The quickstart's; odd sizes; k beyond n; one head; one that is too large to go token by token.
  for (const Layer& layer : {Layer(2, 256, 32, 16, 64), Layer(3, 7, 10, 5, 33), Layer(2, 4, 6, 9, 16),
                             Layer(1, 40, 16, 32, 100), Layer(4, 300, 128, 32, 48)}) {
    for (int64_t tokens : {0, 1, 2, 5, 16, 40}) {
      for (bool with_norm : {true, false}) {
        const at::Tensor query = layer.queries(tokens);
        EXPECT_TRUE(bit_equal(layer.read(query, with_norm), layer.composed(query, with_norm)))
            << "H " << layer.heads << " K " << layer.key_dim << " k " << layer.k << " N " << tokens;
      }
    }
  }
}

TEST(ReadMemory, DoesSoForTablesOfOtherDtypesAndStridedQueries) {
  const at::NoGradGuard guard;
  at::manual_seed(2);
  Layer layer(2, 64, 16, 8, 40);
  const at::Tensor query = at::randn({layer.heads, 9, layer.key_dim}).transpose(0, 1);
  EXPECT_TRUE(bit_equal(layer.read(query), layer.composed(query.contiguous())));
  layer.table = layer.table.to(at::kBFloat16);
  EXPECT_TRUE(bit_equal(layer.read(query), layer.composed(query.contiguous())));
  layer.table = layer.table.to(at::kDouble);
  layer.norm_weight = layer.norm_weight.to(at::kDouble);
  layer.keys = pack_sub_keys(at::randn({2, 2, 64, 8}, at::kDouble));
  const at::Tensor wide = at::randn({9, 2, 16}, at::kDouble);
  EXPECT_TRUE(bit_equal(layer.read(wide), layer.composed(wide)));
}

TEST(ReadMemory, DoesNotDependOnThreadsOrOnTheBatch) {
  const at::NoGradGuard guard;
  at::manual_seed(3);
  const Layer layer(2, 256, 32, 16, 64);
  const at::Tensor query = layer.queries(33);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = layer.read(query);
  at::set_num_threads(3);
  EXPECT_TRUE(bit_equal(layer.read(query), one));
  at::set_num_threads(before);
  for (int64_t t : {0, 7, 32}) EXPECT_TRUE(bit_equal(layer.read(query.narrow(0, t, 1)), one.narrow(0, t, 1)));
}

TEST(ReadMemory, WorkingMemoryOfAnotherShapeDoesNotShow) {
  const at::NoGradGuard guard;
  at::manual_seed(4);
  const Layer small(1, 5, 4, 3, 8), large(2, 200, 32, 20, 64);
  const at::Tensor few = small.queries(4), many = large.queries(20);
  const at::Tensor expected_few = small.composed(few), expected_many = large.composed(many);
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(bit_equal(small.read(few), expected_few));
    EXPECT_TRUE(bit_equal(large.read(many), expected_many));
  }
}

TEST(ReadMemory, MisuseIsToldInOneSentence) {
  const Layer layer(2, 8, 6, 3, 5);
  const auto message = [&](const at::Tensor& query, const at::Tensor& norm, const at::Tensor& table) {
    return tests::usage_error([&] { read_memory(query, norm, kEps, layer.keys, layer.k, table); });
  };
  const at::Tensor query = layer.queries(2);
  EXPECT_EQ(message(query, layer.norm_weight, at::zeros({63, 5})),
            "read_memory: table must be contiguous [64, D] for a query of float on cpu, got [63, 5] float on cpu");
  EXPECT_NE(message(query, layer.norm_weight, at::zeros({64, 5}, at::kDouble)).find("table must be contiguous [64, D]"),
            std::string::npos);
  EXPECT_EQ(message(query, at::ones({6}), layer.table), "read_memory: norm_weight must be [2, 3] float, got [6] float");
  EXPECT_NE(message(at::randn({2, 2, 8}), layer.norm_weight, layer.table).find("query must be [N, 2, 6]"),
            std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
