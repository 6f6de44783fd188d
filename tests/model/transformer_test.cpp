#include "model/frozen_transformer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "model/cross_entropy.h"
#include "support/allocations.h"
#include "support/gradcheck.h"
#include "support/tiny_model.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using layers::MemoryPlacement;
using model::ModelConfig;
using model::Transformer;

struct Named {
  const char* name;
  ModelConfig config;
};

// Every placement and sharing, and what else changes the forward pass of a whole model.
std::vector<Named> all_kinds() {
  std::vector<Named> kinds = {{"dense", tiny_config({})}, {"one layer", tiny_config({1})}};
  auto add = [&](const char* name, auto change) {
    kinds.push_back({name, tiny_config({0, 2})});
    change(kinds.back().config);
  };
  add("shared", [](auto&) {});
  add("per layer", [](auto& c) { c.memory.shared_table = false; });
  add("plain", [](auto& c) { c.memory.output = layers::MemoryOutput::kPlain; });
  add("projected", [](auto& c) { c.memory.value_dim = 20; });
  add("peer", [](auto& c) { c.memory.variant = layers::MemoryVariant::kPeer; });
  add("qk-norm and gate", [](auto& c) { c.memory.qk_norm = c.memory.scalar_gate = true; });
  add("sink and random slots", [](auto& c) { c.memory.softmax_sink = true, c.memory.random_reads = 2; });
  add("batch norm", [](auto& c) { c.memory.query_batch_norm = true; });
  add("beside", [](auto& c) { c.memory.placement = MemoryPlacement::kBeside; });
  add("embedding", [](auto& c) { c.memory.placement = MemoryPlacement::kEmbedding, c.memory.layers = {0}; });
  add("embedding replaced", [](auto& c) {
    c.memory.placement = MemoryPlacement::kEmbedding, c.memory.layers = {0};
    c.memory.embedding_mode = layers::EmbeddingMode::kReplace;
  });
  add("tied", [](auto& c) { c.tie_word_embeddings = true; });
  kinds.push_back({"experts", tiny_expert_config()});
  kinds.push_back({"experts chosen by tokens", tiny_expert_config()});
  kinds.back().config.experts.routing = layers::ExpertRouting::kTokenChoice;
  kinds.back().config.experts.balance_loss = 0.01;
  kinds.push_back({"experts and memory", tiny_expert_config({0})});
  kinds.back().config.memory.layers = {1};
  kinds.push_back({"n-grams", tiny_ngram_config()});
  kinds.push_back({"n-grams with one table", tiny_ngram_config()});
  kinds.back().config.ngrams.shared_table = true;
  kinds.push_back({"n-grams, experts and memory", tiny_ngram_config({0, 1})});
  kinds.back().config.memory = tiny_config({1}).memory;
  kinds.back().config.experts = tiny_expert_config({2}).experts;
  return kinds;
}

// Starts as the model without memory or n-grams.
bool starts_as_another(const ModelConfig& config) {
  return !config.ngrams.layers.empty() ||
         (config.memory.placement == MemoryPlacement::kBeside && !config.memory.layers.empty());
}

// Behind a projection that starts at zero nothing has a gradient before the first step moves it.
bool is_behind_zero(const ModelConfig& config, const std::string& parameter) {
  const auto has = [&](const char* part) { return parameter.find(part) != std::string::npos; };
  if (has(".ngrams.")) return !has("value_proj");
  return config.memory.placement == MemoryPlacement::kBeside && has(".memory.") && !has("out_proj");
}

TEST(Transformer, EveryKindTrainsAllItsParameters) {
  for (const auto& [name, config] : all_kinds()) {
    Transformer model(config, 1);
    layers::Pass pass{.training = true};
    model.loss(tiny_tokens(2, 9), pass).backward();
    for (const layers::Parameter& parameter : model.parameters()) {
      ASSERT_TRUE(parameter.tensor->grad().defined()) << name << ": " << parameter.name;
      if (!is_behind_zero(config, parameter.name)) {
        EXPECT_GT(parameter.tensor->grad().abs().max().item<float>(), 0) << name << ": " << parameter.name;
      }
    }
    for (const auto& [table, held] : model.tables()) EXPECT_FALSE(held->records().empty()) << name << ": " << table;
  }
}

TEST(Transformer, EveryKindHasItsOwnLogits) {
  const at::Tensor tokens = tiny_tokens(2, 8);
  std::vector<at::Tensor> seen;
  for (const auto& [name, config] : all_kinds()) {
    Transformer model(config, 1);
    layers::Pass pass{.training = true};  // a batch norm that has seen nothing changes nothing yet
    const at::Tensor logits = model.forward(tokens, pass);
    // Sharing shows only where two layers read.
    if (starts_as_another(config)) continue;
    for (const at::Tensor& other : seen) EXPECT_FALSE(logits.allclose(other, 1e-4, 1e-5)) << name;
    seen.push_back(logits);
  }
}

TEST(Transformer, CachedDecodingEqualsTheWholePass) {
  const at::Tensor tokens = tiny_tokens(2, 12);
  for (const auto& [name, config] : all_kinds()) {
    Transformer model(config, 1);
    fill_zero_parameters(model);
    const at::Tensor whole = model.forward(tokens);
    const model::FrozenTransformer frozen = model.freeze();
    for (const std::vector<int64_t>& pieces : {std::vector<int64_t>{5, 1, 1, 1, 1, 1, 1, 1}, {1, 7, 4}}) {
      layers::KeyValueCache cache;
      for (const int64_t size : pieces) {
        const int64_t begin = cache.length();
        const at::Tensor part = frozen.forward(tokens.narrow(1, begin, size), &cache);
        EXPECT_FALSE(part.requires_grad());
        EXPECT_TRUE(part.allclose(whole.narrow(1, begin, size), 1e-4, 1e-5)) << name;
      }
      EXPECT_EQ(cache.length(), 12);
    }
  }
}

TEST(Transformer, SequencesOfABatchDoNotTouchEachOther) {
  const at::Tensor tokens = tiny_tokens(3, 8);
  for (const auto& [name, config] : all_kinds()) {
    Transformer model(config, 1);
    fill_zero_parameters(model);
    const at::Tensor together = model.forward(tokens);
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(model.forward(tokens.narrow(0, i, 1)).allclose(together.narrow(0, i, 1), 1e-5, 1e-5)) << name;
    }
  }
}

TEST(Transformer, DensePartsOfAMemoryModelStartAsThoseOfItsTwin) {
  const auto dense = named_tensors(Transformer(tiny_config({}), 3));
  const auto memory = named_tensors(Transformer(tiny_config({1}), 3));
  int common = 0;
  for (const auto& [name, tensor] : memory) {
    if (!dense.contains(name)) continue;
    EXPECT_TRUE(bit_equal(tensor, dense.at(name))) << name;
    ++common;
  }
  EXPECT_EQ(common, static_cast<int>(dense.size()) - 3);
  EXPECT_FALSE(named_tensors(Transformer(tiny_config({}), 4)).at("lm_head.weight").equal(dense.at("lm_head.weight")));
}

TEST(Transformer, BesideStartsEqualToTheDenseModel) {
  ModelConfig config = tiny_config({0, 2});
  config.memory.placement = MemoryPlacement::kBeside;
  const at::Tensor tokens = tiny_tokens(2, 8);
  EXPECT_TRUE(bit_equal(Transformer(config, 1).forward(tokens), Transformer(tiny_config({}), 1).forward(tokens)));
}

TEST(Transformer, ASharedTableIsOneTensorThatBothLayersRead) {
  ModelConfig config = tiny_config({0, 2});
  Transformer model(config, 1);
  ASSERT_EQ(model.tables().size(), 1u);
  EXPECT_EQ(model.tables()[0].name, "model.memory_tables.0.weight");
  std::vector<int64_t> readers;
  const auto listening = model.tables()[0].table->listen(
      [&](int64_t layer, const at::Tensor&, const at::Tensor&) { readers.push_back(layer); });
  model.loss(tiny_tokens(2, 9)).backward();
  EXPECT_EQ(readers, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(model.tables()[0].table->records().size(), 2u);

  config.memory.shared_table = false;
  const Transformer separate(config, 1);
  ASSERT_EQ(separate.tables().size(), 2u);
  EXPECT_EQ(separate.tables()[1].name, "model.memory_tables.1.weight");
  EXPECT_FALSE(rows_of(*separate.tables()[0].table).equal(rows_of(*separate.tables()[1].table)));
}

TEST(Transformer, PeerNamesItsTwoTables) {
  ModelConfig config = tiny_config({1});
  config.memory.variant = layers::MemoryVariant::kPeer;
  const Transformer model(config, 1);
  ASSERT_EQ(model.tables().size(), 2u);
  EXPECT_EQ(model.tables()[0].name, "model.memory_tables.0.down.weight");
  EXPECT_EQ(model.tables()[1].name, "model.memory_tables.0.up.weight");
}

TEST(Transformer, StartsWithTheStatedDeviations) {
  ModelConfig config = tiny_config({1});
  config.hidden_size = 64, config.head_dim = 0, config.memory.num_sub_keys = 64;
  const auto tensors = named_tensors(Transformer(config, 1));
  auto deviation = [&](const std::string& name) { return tensors.at(name).std().item<double>(); };
  EXPECT_NEAR(deviation("model.memory_tables.0.weight"), 1 / 8.0, 0.002);
  EXPECT_NEAR(deviation("model.embed_tokens.weight"), 1 / 8.0, 0.005);
  EXPECT_NEAR(deviation("model.layers.0.mlp.down_proj.weight"), 1 / 8.0, 0.005);
  EXPECT_NEAR(deviation("model.layers.1.memory.out_proj.weight"), 1 / 8.0, 0.005);
  EXPECT_NEAR(deviation("model.layers.1.memory.sub_keys"), 1 / std::sqrt(3.0 * 32), 0.005);
  EXPECT_NEAR(deviation("model.layers.1.memory.query_proj.weight"), std::sqrt(2.0 / (64 + 64)), 0.005);
  EXPECT_EQ(tensors.at("model.layers.1.memory.query_proj.bias").abs().max().item<float>(), 0);
  EXPECT_TRUE(tensors.at("model.norm.weight").equal(at::ones({64})));
}

TEST(Transformer, DropoutRepeatsWithItsStream) {
  ModelConfig config = tiny_config({1});
  config.memory.value_dropout = 0.5;
  Transformer model(config, 1);
  const at::Tensor tokens = tiny_tokens(2, 9);
  const float still = model.loss(tokens).item<float>();
  auto drawn = [&](uint64_t step) {
    layers::Pass pass{.training = true, .dropout = {9, step}};
    return model.loss(tokens, pass).item<float>();
  };
  const float first = drawn(4);
  EXPECT_EQ(drawn(4), first);
  EXPECT_NE(drawn(5), first);
  EXPECT_NE(first, still);
  EXPECT_EQ(model.loss(tokens).item<float>(), still);
}

TEST(Transformer, BFloat16FollowsFloat32AndKeepsFloat32Masters) {
  const at::Tensor tokens = tiny_tokens(2, 9);
  for (const auto& [name, config] : all_kinds()) {
    Transformer model(config, 1);
    const float expected = model.loss(tokens).item<float>();
    model.set_compute_dtype(at::kBFloat16);
    const at::Tensor loss = model.loss(tokens);
    EXPECT_EQ(loss.scalar_type(), at::kFloat);
    EXPECT_NEAR(loss.item<float>(), expected, 0.03 * expected) << name;
    loss.backward();
    for (const layers::Parameter& parameter : model.parameters()) {
      EXPECT_EQ(parameter.tensor->scalar_type(), at::kFloat);
      EXPECT_EQ(parameter.tensor->grad().scalar_type(), at::kFloat) << parameter.name;
    }
    for (const auto& [table, held] : model.tables()) EXPECT_EQ(held->dtype(), at::kBFloat16);
  }
}

TEST(Transformer, LossIsTheMeanCrossEntropyOfItsLogits) {
  const at::Tensor tokens = tiny_tokens(3, 10);
  Transformer model(tiny_config({1}), 1);
  const at::Tensor logits = model.forward(tokens.narrow(1, 0, 9)).reshape({-1, 67});
  const at::Tensor expected = at::cross_entropy_loss(logits, tokens.narrow(1, 1, 9).reshape({-1}));
  EXPECT_NEAR(model.loss(tokens).item<float>(), expected.item<float>(), 1e-6);
}

TEST(Transformer, RefusesWhatDoesNotFit) {
  ModelConfig config = tiny_config({});
  Transformer model(config, 1);
  EXPECT_THROW(model.forward(tiny_tokens(1, 65)), base::UsageError);
  EXPECT_THROW(model.forward(at::zeros({4}, at::kLong)), base::UsageError);
  EXPECT_THROW(model.forward(at::zeros({1, 4})), base::UsageError);
  EXPECT_THROW(model.loss(tiny_tokens(1, 1)), base::UsageError);
  config.vocab_size = 0;
  EXPECT_THROW(Transformer(config, 1), base::UsageError);
  config = tiny_config({1});
  config.memory.top_k = 65;
  EXPECT_THROW(Transformer(config, 1), base::UsageError);
}

TEST(LinearCrossEntropy, EqualsTorchsOverSeveralChunks) {
  at::manual_seed(1);
  const int64_t rows = 300, vocabulary = 9000;  // chunks of 128 rows
  const at::Tensor hidden = at::randn({rows, 8}).requires_grad_(), weight = at::randn({vocabulary, 8}).requires_grad_();
  const at::Tensor targets = at::randint(vocabulary, {rows}, at::kLong);
  const at::Tensor expected = at::cross_entropy_loss(at::linear(hidden, weight), targets);
  (3 * expected).backward();
  const at::Tensor grad_hidden = hidden.grad().clone(), grad_weight = weight.grad().clone();
  hidden.mutable_grad().reset(), weight.mutable_grad().reset();
  const at::Tensor loss = model::linear_cross_entropy(hidden, weight, targets);
  (3 * loss).backward();
  EXPECT_NEAR(loss.item<float>(), expected.item<float>(), 1e-5);
  EXPECT_TRUE(hidden.grad().allclose(grad_hidden, 1e-4, 1e-7));
  EXPECT_TRUE(weight.grad().allclose(grad_weight, 1e-4, 1e-7));
  at::NoGradGuard no_grad;
  EXPECT_EQ(model::linear_cross_entropy(hidden, weight, targets).item<float>(), loss.item<float>());
}

TEST(LinearCrossEntropy, NeverHoldsAllLogits) {
  const int64_t rows = 1024, vocabulary = 9000;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor hidden = at::randn({rows, 8}).to(dtype).requires_grad_();
    const at::Tensor weight = at::randn({vocabulary, 8}).to(dtype).requires_grad_();
    const at::Tensor targets = at::randint(vocabulary, {rows}, at::kLong);
    const AllocationWatch watch;
    model::linear_cross_entropy(hidden, weight, targets).backward();
    EXPECT_GT(watch.largest_bytes(), 0u);
    EXPECT_LE(watch.largest_bytes(), size_t{128} * vocabulary * sizeof(float)) << dtype;  // of 128 rows
  }
}

TEST(LinearCrossEntropy, ASecondBackwardAddsTheSameGradientAgain) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({5, 8}).requires_grad_(), weight = at::randn({9, 8}).requires_grad_();
  const at::Tensor loss = model::linear_cross_entropy(hidden, weight, at::randint(9, {5}, at::kLong));
  loss.backward({}, true);
  const at::Tensor grad_hidden = hidden.grad().clone(), grad_weight = weight.grad().clone();
  loss.backward();
  EXPECT_TRUE(bit_equal(hidden.grad(), grad_hidden * 2));
  EXPECT_TRUE(bit_equal(weight.grad(), grad_weight * 2));
}

TEST(LinearCrossEntropy, GradientsMatchCentralDifferences) {
  at::manual_seed(2);
  const at::Tensor targets = at::tensor({1, 4, 0}, at::kLong);
  const auto loss = [&](const std::vector<at::Tensor>& in) {
    return model::linear_cross_entropy(in[0], in[1], targets);
  };
  EXPECT_LT(gradient_error(loss, {at::randn({3, 4}, at::kDouble), at::randn({5, 4}, at::kDouble)}), kGradcheck);
}

TEST(Transformer, ExpertsHaveTheirNamesAndShapes) {
  const auto tensors = named_tensors(Transformer(tiny_expert_config({2}), 1));
  EXPECT_EQ(tensors.at("model.layers.2.mlp.router.weight").sizes(), (std::vector<int64_t>{4, 32}));
  EXPECT_EQ(tensors.at("model.layers.2.mlp.experts.gate_proj.weight").sizes(), (std::vector<int64_t>{4, 24, 32}));
  EXPECT_EQ(tensors.at("model.layers.2.mlp.experts.up_proj.weight").sizes(), (std::vector<int64_t>{4, 24, 32}));
  EXPECT_EQ(tensors.at("model.layers.2.mlp.experts.down_proj.weight").sizes(), (std::vector<int64_t>{4, 32, 24}));
  EXPECT_FALSE(tensors.contains("model.layers.2.mlp.gate_proj.weight"));
  EXPECT_TRUE(tensors.contains("model.layers.1.mlp.gate_proj.weight"));
}

TEST(Transformer, TheBalanceLossOfEveryBlockIsMinimizedInTrainingAlone) {
  ModelConfig config = tiny_expert_config();
  config.experts.routing = layers::ExpertRouting::kTokenChoice;
  const at::Tensor tokens = tiny_tokens(2, 9);
  Transformer without(config, 1);
  config.experts.balance_loss = 0.5;
  Transformer with(config, 1);
  layers::Pass pass{.training = true}, other{.training = true};
  const auto plain = without.losses(tokens, pass), balanced = with.losses(tokens, other);
  EXPECT_TRUE(bit_equal(plain.total, plain.cross_entropy));
  EXPECT_TRUE(bit_equal(balanced.cross_entropy, plain.cross_entropy));
  const double added = (balanced.total - balanced.cross_entropy).item<double>();
  EXPECT_GT(added, 0.5 * 2 * 0.5);  // two blocks, each near its weight
  EXPECT_LT(added, 0.5 * 2 * 4);
  plain.total.backward(), balanced.total.backward();
  const std::string router = "model.layers.2.mlp.router.weight";
  EXPECT_FALSE(named_gradients(with).at(router).allclose(named_gradients(without).at(router)));
  const auto evaluated = with.losses(tokens);
  EXPECT_TRUE(bit_equal(evaluated.total, evaluated.cross_entropy));
}

TEST(Transformer, SaysWhatItsExpertsDid) {
  Transformer model(tiny_expert_config(), 1);
  layers::Pass pass{.training = true};
  model.loss(tiny_tokens(2, 9), pass);
  const auto uses = model.expert_use(pass);
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].name, "model.layers.0.mlp");
  EXPECT_EQ(uses[1].name, "model.layers.2.mlp");
  EXPECT_EQ(uses[1].use.tokens, 16);
  EXPECT_EQ(uses[1].use.loads, std::vector<int64_t>(4, 8));  // 16 * 2 / 4
  EXPECT_TRUE(Transformer(tiny_config({1}), 1).expert_use(pass).empty());
  layers::Pass evaluation;
  model.loss(tiny_tokens(2, 9), evaluation);
  EXPECT_TRUE(model.expert_use(evaluation).empty());
  EXPECT_EQ(model.expert_use(pass).size(), 2u) << "what another pass did stays with that pass";
}

}  // namespace
}  // namespace memlayers::tests
