#include "ops/memory_decode/memory_decode.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/memory_decode/memory_decode_reference.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::ops {
namespace {

using tests::bit_equal;

struct Sizes {
  int64_t hidden, heads, num_sub_keys, key_dim, k, value_dim;
};

/// Which parts a layer has.
struct Parts {
  bool norm, gate, out;
};

constexpr Parts kGated = {true, true, true};
constexpr Parts kAllParts[] = {kGated, {false, true, true}, {false, false, true}, {true, false, false}};

// The quickstart's; odd sizes, k beyond n; one head, D above d; many columns.
constexpr Sizes kSizes[] = {{64, 2, 256, 32, 16, 64},
                            {13, 3, 7, 10, 5, 33},
                            {20, 2, 4, 6, 9, 16},
                            {30, 1, 40, 16, 32, 100},
                            {7, 4, 30, 64, 32, 7}};

/// A layer without a projection behind has rows as wide as x.
int64_t value_dim(const Sizes& sizes, const Parts& parts) { return parts.out ? sizes.value_dim : sizes.hidden; }

/// Numbers of `make(sizes)`.
template <class Make>
MemoryWeights make_weights(const Sizes& sizes, const Parts& parts, const Make& make) {
  const int64_t width = sizes.heads * sizes.key_dim, dim = value_dim(sizes, parts);
  MemoryWeights weights;
  weights.query = {make({width, sizes.hidden}), make({width})};
  weights.sub_keys = make({sizes.heads, 2, sizes.num_sub_keys, sizes.key_dim / 2});
  weights.k = sizes.k;
  weights.eps = 1e-5;
  if (parts.norm) weights.query_scale = make({2, sizes.key_dim / 2});
  if (parts.gate) weights.gate = Projection{make({dim, sizes.hidden}), make({dim})};
  if (parts.out) weights.out = Projection{make({sizes.hidden, dim}), make({sizes.hidden})};
  return weights;
}

struct Layer {
  MemoryWeights weights;
  PackedMemory packed;
  at::Tensor table;
  Sizes sizes;

  explicit Layer(const Sizes& s, const Parts& parts = kGated)
      : weights(make_weights(s, parts, [](at::IntArrayRef shape) { return at::randn(shape) / 4; })),
        packed(pack_memory(weights)),
        table(at::randn({s.num_sub_keys * s.num_sub_keys, value_dim(s, parts)})),
        sizes(s) {}

  at::Tensor input(int64_t tokens) const { return at::randn({tokens, sizes.hidden}); }
  DecodedMemory decode(const at::Tensor& x) const { return decode_memory(x, packed, table); }
};

// Where the k-th and the next score are apart by more than rounding, the slots are the definition's.
TEST(MemoryDecode, FollowsTheDefinitionInFloat64) {
  const at::NoGradGuard guard;
  at::manual_seed(1);
  const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
  for (const Sizes& sizes : kSizes) {
    for (const Parts& parts : kAllParts) {
      const Layer layer(sizes, parts);
      MemoryWeights exact = layer.weights;
      exact.sub_keys = wide(exact.sub_keys);
      exact.query = {wide(exact.query.weight), wide(exact.query.bias)};
      if (exact.query_scale) exact.query_scale = wide(*exact.query_scale);
      if (exact.gate) exact.gate = Projection{wide(exact.gate->weight), wide(exact.gate->bias)};
      if (exact.out) exact.out = Projection{wide(exact.out->weight), wide(exact.out->bias)};
      for (int64_t tokens : {0, 1, 2, 5, 16, 40}) {
        const at::Tensor x = layer.input(tokens);
        const DecodedMemory ours = layer.decode(x),
                            expected = decode_memory_reference(wide(x), exact, wide(layer.table));
        ASSERT_EQ(ours.output.sizes(), expected.output.sizes());
        const at::Tensor same = (ours.slots == expected.slots).all(-1);
        EXPECT_GE(same.sum().item<int64_t>(), tokens - tokens / 20);
        EXPECT_TRUE(ours.weights.to(at::kDouble).allclose(expected.weights, 1e-4, 1e-5));
        const at::Tensor rows = same.nonzero().view(-1);
        EXPECT_TRUE(wide(ours.output).index_select(0, rows).allclose(expected.output.index_select(0, rows), 1e-4, 1e-4))
            << "d " << sizes.hidden << " H " << sizes.heads << " k " << sizes.k << " N " << tokens;
      }
    }
  }
}

// Small integers and one slot a head: every sum is exact, the softmax of one score is 1.
TEST(MemoryDecode, IsExactOnSmallIntegers) {
  const at::NoGradGuard guard;
  at::manual_seed(2);
  const auto integers = [](at::IntArrayRef shape) { return at::randint(-2, 3, shape, at::kFloat); };
  for (Sizes sizes : kSizes) {
    sizes.k = 1;
    const MemoryWeights weights = make_weights(sizes, {false, false, true}, integers);
    const at::Tensor table = integers({sizes.num_sub_keys * sizes.num_sub_keys, sizes.value_dim});
    const PackedMemory packed = pack_memory(weights);
    const at::Tensor x = integers({9, sizes.hidden});
    const DecodedMemory ours = decode_memory(x, packed, table), expected = decode_memory_reference(x, weights, table);
    EXPECT_TRUE(ours.slots.equal(expected.slots));
    EXPECT_TRUE(bit_equal(ours.weights, expected.weights));
    EXPECT_TRUE(bit_equal(ours.output, expected.output));
  }
}

TEST(MemoryDecode, EqualScoresShareTheirWeight) {
  const at::NoGradGuard guard;
  for (const int64_t k : {1, 4, 16, 25}) {
    Layer layer({8, 2, 5, 4, k, 8}, {false, false, false});
    layer.weights.sub_keys.zero_();
    layer.packed = pack_memory(layer.weights);
    const DecodedMemory decoded = layer.decode(layer.input(3));
    EXPECT_TRUE(decoded.slots.select(1, 0).eq(0).all().item<bool>());  // the lowest slots first
    EXPECT_TRUE(decoded.weights.allclose(at::full({3, 2 * k}, 1.0 / double(k)), 1e-6, 0));
  }
}

TEST(MemoryDecode, RoundsBagsToTheTablesDtype) {
  const at::NoGradGuard guard;
  at::manual_seed(3);
  Layer layer(kSizes[0], {true, false, false});
  layer.table = layer.table.to(at::kBFloat16);
  const DecodedMemory narrow = layer.decode(layer.input(5));
  EXPECT_TRUE(bit_equal(narrow.output, narrow.output.to(at::kBFloat16).to(at::kFloat)));
  Layer gated(kSizes[1]);
  gated.table = gated.table.to(at::kBFloat16);
  const at::Tensor x = gated.input(5);
  const DecodedMemory ours = gated.decode(x), expected = decode_memory_reference(x, gated.weights, gated.table);
  EXPECT_TRUE(ours.output.allclose(expected.output, 1e-2, 1e-2));
}

TEST(MemoryDecode, DoesNotDependOnThreadsOrOnTheBatch) {
  const at::NoGradGuard guard;
  at::manual_seed(4);
  const Layer layer(kSizes[0]);
  const at::Tensor x = layer.input(33);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const DecodedMemory one = layer.decode(x);
  at::set_num_threads(3);
  EXPECT_TRUE(bit_equal(layer.decode(x).output, one.output));
  at::set_num_threads(before);
  EXPECT_TRUE(bit_equal(layer.decode(x.repeat({5, 1})).output.narrow(0, 4 * 33, 33), one.output));  // a long prompt
  for (int64_t t : {0, 7, 32}) {
    const DecodedMemory alone = layer.decode(x.narrow(0, t, 1));
    EXPECT_TRUE(bit_equal(alone.output, one.output.narrow(0, t, 1)));
    EXPECT_TRUE(alone.slots.equal(one.slots.narrow(0, t, 1)));
    EXPECT_TRUE(bit_equal(alone.weights, one.weights.narrow(0, t, 1)));
  }
}

TEST(MemoryDecode, WorkingMemoryOfAnotherShapeDoesNotShow) {
  const at::NoGradGuard guard;
  at::manual_seed(5);
  const Layer small(kSizes[2]), large(kSizes[0]);
  const at::Tensor few = small.input(4), many = large.input(20);
  const at::Tensor expected_few = small.decode(few).output, expected_many = large.decode(many).output;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(bit_equal(small.decode(few).output, expected_few));
    EXPECT_TRUE(bit_equal(large.decode(many).output, expected_many));
  }
}

TEST(MemoryDecode, SmallLayersOnly) {
  EXPECT_TRUE(decodes_at_once(64, 2, 32, 256, 64, 2));         // the quickstart's
  EXPECT_FALSE(decodes_at_once(512, 4, 128, 512, 512, 2));     // of 30 M parameters
  EXPECT_FALSE(decodes_at_once(2048, 4, 512, 1024, 2048, 2));  // the paper's
  EXPECT_TRUE(decodes_at_once(256, 2, 128, 256, 256, 0));      // 2^17 products
  EXPECT_FALSE(decodes_at_once(256, 2, 128, 256, 256, 1));
  EXPECT_FALSE(decodes_at_once(257, 2, 128, 256, 257, 0));
}

TEST(MemoryDecode, MisuseIsToldInOneSentence) {
  const Layer layer({8, 2, 8, 6, 3, 5});
  const auto message = [&](const at::Tensor& x, const at::Tensor& table) {
    return tests::usage_error([&] { decode_memory(x, layer.packed, table); });
  };
  EXPECT_EQ(message(layer.input(2), at::zeros({63, 5})),
            "decode_memory: table must be contiguous [64, D] float32 or bfloat16 on the CPU, got [63, 5] float on cpu");
  EXPECT_NE(message(layer.input(2), at::zeros({64, 5}, at::kDouble)).find("table must be contiguous [64, D]"),
            std::string::npos);
  EXPECT_EQ(message(at::zeros({2, 9}), layer.table),
            "decode_memory: query_panels must come from pack_projection of [12, 9] float32, got [1, 8, 32] float");
  EXPECT_EQ(message(at::zeros({2, 8}, at::kDouble), layer.table),
            "decode_memory: x must be contiguous [N, d] float32 on the CPU, got [2, 8] double on cpu");
  EXPECT_EQ(message(layer.input(2), at::zeros({64, 6})),
            "decode_memory: out_panels must come from pack_projection of [8, 6] float32, got [1, 5, 32] float");
  PackedMemory wrong_scale = layer.packed;
  wrong_scale.query_scale = at::zeros({6});
  EXPECT_EQ(tests::usage_error([&] { decode_memory(layer.input(2), wrong_scale, layer.table); }),
            "decode_memory: query_scale must be contiguous [2, 3] float32, got [6] float");
  EXPECT_NE(message(layer.input(8).t(), layer.table).find("x must be contiguous [N, d]"), std::string::npos);
  const Layer narrow({8, 2, 8, 6, 3, 8}, {false, false, false});
  EXPECT_EQ(tests::usage_error([&] {
              decode_memory(narrow.input(2), narrow.packed, at::zeros({64, 5}));
            }),
            "decode_memory: the output must have d = 8 columns, got 5 of the table; add out, D -> d");
  MemoryWeights wrong = layer.weights;
  wrong.gate->bias = at::zeros({4});
  EXPECT_EQ(tests::usage_error([&] { pack_memory(wrong); }),
            "pack_memory: gate must have a weight [out, in] and a bias [out], got [5, 8] and [4]");
}

// What only who calls it by its name can get wrong.
TEST(MemoryDecode, MisuseByNameIsToldToo) {
  const Layer layer({8, 2, 8, 6, 3, 5});
  const PackedMemory& memory = layer.packed;
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::decode_memory", "");
  using MaybeTensor = std::optional<at::Tensor>;
  const auto message = [&](int64_t heads, int64_t num_sub_keys, int64_t k, const MaybeTensor& gate_bias) {
    return tests::usage_error([&] {
      c10::Stack stack{layer.input(2),
                       memory.query_panels,
                       memory.query_bias,
                       memory.query_scale,
                       memory.eps,
                       memory.sub_keys.panels,
                       heads,
                       num_sub_keys,
                       k,
                       layer.table,
                       memory.gate_panels,
                       gate_bias,
                       memory.out_panels,
                       memory.out_bias};
      op.callBoxed(stack);
    });
  };
  EXPECT_EQ(message(2, 8, 3, std::nullopt), "decode_memory: gate and out must have both panels and a bias, or neither");
  EXPECT_EQ(message(0, 8, 3, memory.gate_bias), "decode_memory: query_bias must be [H * K] for H = 0 heads, got [12]");
  EXPECT_NE(message(5, 8, 3, memory.gate_bias).find("query_bias must be [H * K] for H = 5 heads"), std::string::npos);
  EXPECT_NE(message(2, -1, 1, memory.gate_bias).find("packed sub-keys must come from pack_sub_keys"),
            std::string::npos);
  EXPECT_NE(message(2, 40, 3, memory.gate_bias).find("packed sub-keys must come from pack_sub_keys"),
            std::string::npos);
  EXPECT_NE(message(2, 8, 0, memory.gate_bias).find("k must be in [1, n * n = 64], got 0"), std::string::npos);
  EXPECT_NE(message(2, 8, 65, memory.gate_bias).find("k must be in [1, n * n = 64], got 65"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::ops
