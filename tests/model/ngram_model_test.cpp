// N-gram layers inside of a whole model: what they see, that decoding sees the same, and that they train beside memory.
#include <gtest/gtest.h>

#include "model/frozen_transformer.h"
#include "support/tiny_model.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using model::ModelConfig;
using model::Transformer;

constexpr int64_t kBos = 1;

// An n-gram layer in block 0 alone, all of whose rows matter.
struct NgramModel : Transformer {
  NgramModel() : Transformer(config(), 1) { fill_zero_parameters(*this); }
  static ModelConfig config() {
    ModelConfig config = tiny_ngram_config({0});
    config.ngrams.orders = {2, 4};
    return config;
  }
};

at::Tensor row(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong).view({1, -1}); }

TEST(NgramModel, StartsAsTheDenseModelBitForBit) {
  const at::Tensor tokens = tiny_tokens(2, 9);
  EXPECT_TRUE(
      bit_equal(Transformer(tiny_ngram_config(), 1).forward(tokens), Transformer(tiny_config({}), 1).forward(tokens)));
}

TEST(NgramModel, NamesItsTensors) {
  ModelConfig config = tiny_ngram_config();
  config.memory.layers = {1};
  const auto tensors = named_tensors(Transformer(config, 1));
  EXPECT_EQ(tensors.at("model.layers.2.ngrams.key_proj.weight").sizes(), (std::vector<int64_t>{32, 32}));
  EXPECT_EQ(tensors.at("model.layers.2.ngrams.value_proj.weight").sizes(), (std::vector<int64_t>{32, 32}));
  EXPECT_EQ(tensors.at("model.layers.2.ngrams.query_norm.weight").sizes(), (std::vector<int64_t>{32}));
  EXPECT_EQ(tensors.at("model.layers.2.ngrams.key_norm.weight").sizes(), (std::vector<int64_t>{32}));
  EXPECT_EQ(tensors.at("model.ngram_tables.0.weight").sizes(), (std::vector<int64_t>{200, 8}));
  EXPECT_EQ(tensors.at("model.ngram_tables.1.weight").sizes(), (std::vector<int64_t>{200, 8}));
  EXPECT_NEAR(tensors.at("model.ngram_tables.1.weight").std().item<double>(), 1 / std::sqrt(8.0), 0.03);
  EXPECT_EQ(tensors.at("model.memory_tables.0.weight").sizes(), (std::vector<int64_t>{64, 32}));
  config.ngrams.shared_table = true;
  EXPECT_FALSE(named_tensors(Transformer(config, 1)).contains("model.ngram_tables.1.weight"));
}

// A shared table is read under the same addresses by all, separate ones under addresses of their own.
TEST(NgramModel, LayersOfOneTableReadTheSameRows) {
  for (const bool shared : {true, false}) {
    ModelConfig config = tiny_ngram_config();
    config.ngrams.shared_table = shared;
    Transformer model(config, 1);
    std::map<int64_t, at::Tensor> read;
    std::vector<layers::MemoryTable::Listening> listening;
    for (const auto& [name, table] : model.tables()) {
      listening.push_back(
          table->listen([&](int64_t layer, const at::Tensor& slots, const at::Tensor&) { read[layer] = slots; }));
    }
    model.forward(tiny_tokens(1, 8));
    ASSERT_EQ(read.size(), 2u);
    EXPECT_EQ(read[0].equal(read[2]), shared);
  }
}

// Outputs at the last position of a sequence, of which attention sees all: so the n-gram layer is asked by itself,
// through the rows that it reads.
TEST(NgramModel, NeverReadsOverTheBeginOfADocument) {
  NgramModel model;
  at::Tensor read;
  const auto listening =
      model.tables()[0].table->listen([&](int64_t, const at::Tensor& slots, const at::Tensor&) { read = slots; });
  const auto last_rows = [&](const std::vector<int64_t>& ids, int64_t count) {
    model.forward(row(ids));
    return read.narrow(0, read.size(0) - count, count).clone();
  };
  const at::Tensor alone = last_rows({kBos, 7, 8, 9}, 4);
  EXPECT_TRUE(last_rows({20, 21, 22, kBos, 7, 8, 9}, 4).equal(alone));
  EXPECT_TRUE(last_rows({5, kBos, kBos, 7, 8, 9}, 4).equal(alone));
  EXPECT_FALSE(last_rows({20, 21, 22, 2, 7, 8, 9}, 4).equal(alone));
  EXPECT_FALSE(last_rows({kBos, 6, 8, 9}, 1).equal(alone.narrow(0, 3, 1)));  // within a document they do look back
}

TEST(NgramModel, DecodingWithACacheReadsTheSameRowsAsTheWholePass) {
  NgramModel model;
  std::vector<at::Tensor> read;
  const auto listening = model.tables()[0].table->listen(
      [&](int64_t, const at::Tensor& slots, const at::Tensor&) { read.push_back(slots); });
  const at::Tensor tokens = row({kBos, 5, 6, 5, 6, 7, kBos, 5, 6, 5, 6, 7, 3, 4});
  const at::Tensor whole = model.forward(tokens);
  const at::Tensor expected = read.back();
  const model::FrozenTransformer frozen = model.freeze();
  for (const std::vector<int64_t>& pieces : {std::vector<int64_t>(14, 1), {2, 9, 3}, {8, 1, 1, 1, 1, 1, 1}}) {
    read.clear();
    layers::KeyValueCache cache;
    for (const int64_t size : pieces) {
      const int64_t begin = cache.length();
      const at::Tensor part = frozen.forward(tokens.narrow(1, begin, size), &cache);
      EXPECT_TRUE(part.allclose(whole.narrow(1, begin, size), 1e-4, 1e-5));
    }
    EXPECT_TRUE(at::cat(read).equal(expected));
  }
}

// What speculative decoding and batches that shrink do to a cache.
TEST(NgramModel, ACacheThatWasCutAndThinnedGoesOnRight) {
  NgramModel model;
  const at::Tensor tokens = tiny_tokens(3, 10, 4);
  const at::Tensor kept = at::tensor({2, 0}, at::kLong), rest = tiny_tokens(2, 4, 9);
  layers::KeyValueCache cache;
  const model::FrozenTransformer frozen = model.freeze();
  frozen.forward(tokens, &cache);
  cache.truncate(6);
  cache.keep_rows(kept);
  const at::Tensor continued = frozen.forward(rest, &cache);
  const at::Tensor whole = model.forward(at::cat({tokens.index_select(0, kept).narrow(1, 0, 6), rest}, 1));
  EXPECT_TRUE(continued.allclose(whole.narrow(1, 6, 4), 1e-4, 1e-5));
}

TEST(NgramModel, EveryParameterAndTableHasAGradientBesideMemory) {
  ModelConfig config = tiny_ngram_config({0});
  config.memory.layers = {1};
  Transformer model(config, 1);
  fill_zero_parameters(model);
  layers::Pass pass{.training = true};
  model.loss(tiny_tokens(2, 9), pass).backward();
  ASSERT_EQ(model.tables().size(), 2u);
  EXPECT_EQ(model.tables()[0].table->addressing(), layers::Addressing::kProductKeys);
  EXPECT_EQ(model.tables()[1].table->addressing(), layers::Addressing::kNgrams);
  for (const auto& [name, gradient] : named_gradients(model)) {
    EXPECT_GT(gradient.abs().max().item<float>(), 0) << name;
  }
}

}  // namespace
}  // namespace memlayers::tests
