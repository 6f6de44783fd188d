#include "model/frozen_transformer.h"

#include <gtest/gtest.h>

#include <ATen/record_function.h>

#include "support/test_table.h"
#include "support/tiny_model.h"
#include "support/tolerance.h"
#include "support/usage_error.h"

namespace memlayers::tests {
namespace {

using model::FrozenTransformer;
using model::ModelConfig;
using model::Transformer;

// Two models that share tensors by accident would train each other.
static_assert(!std::is_copy_constructible_v<Transformer> && !std::is_copy_assignable_v<Transformer>);
static_assert(std::is_move_constructible_v<Transformer>);

std::vector<ModelConfig> kinds() {
  ModelConfig both = tiny_ngram_config({0, 1});
  both.memory = tiny_config({1}).memory;
  both.experts = tiny_expert_config({2}).experts;
  both.tie_word_embeddings = true;
  ModelConfig normed = tiny_config({0, 2});
  normed.memory.qk_norm = normed.memory.query_batch_norm = normed.memory.scalar_gate = true;
  ModelConfig peer = tiny_config({1});
  peer.memory.variant = layers::MemoryVariant::kPeer;
  return {tiny_config({}), both, normed, peer};
}

/// The bytes of all tensors, with those of the buffers left out or alone.
std::map<std::string, at::Tensor> copies(const Transformer& model) {
  std::map<std::string, at::Tensor> tensors = named_tensors(model);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  return tensors;
}

TEST(FrozenTransformer, HasTheBitsOfEvaluation) {
  const at::Tensor tokens = tiny_tokens(2, 9);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const ModelConfig& config : kinds()) {
      Transformer model(config, 1);
      fill_zero_parameters(model);
      model.set_compute_dtype(dtype);
      const at::Tensor logits = model.freeze().forward(tokens);
      EXPECT_TRUE(bit_equal(logits, model.forward(tokens).detach())) << dtype;
      EXPECT_FALSE(logits.requires_grad());
    }
  }
}

TEST(FrozenTransformer, RefusesToAnswerForAModelThatWasTrainedSince) {
  Transformer model(tiny_config({1}), 1);
  const FrozenTransformer frozen = model.freeze();
  const at::Tensor tokens = tiny_tokens(1, 5);
  frozen.forward(tokens);
  {
    const at::NoGradGuard no_grad;
    for (const layers::Parameter& parameter : model.parameters()) parameter.tensor->add_(0.125);
  }
  EXPECT_NE(usage_error([&] { frozen.forward(tokens); }).find("freeze it again"), std::string::npos);
  EXPECT_TRUE(bit_equal(model.freeze().forward(tokens), model.forward(tokens).detach()));
}

TEST(FrozenTransformer, OutlivesItsModel) {
  const at::Tensor tokens = tiny_tokens(1, 5);
  std::optional<Transformer> model(std::in_place, tiny_config({1}), 1);
  const at::Tensor expected = model->forward(tokens).detach();
  const FrozenTransformer frozen = model->freeze();
  model.reset();
  EXPECT_TRUE(bit_equal(frozen.forward(tokens), expected));
}

int64_t largest_cast = 0;

std::unique_ptr<at::ObserverContext> watch_casts(const at::RecordFunction& function) {
  if (std::string(function.name()) == "aten::_to_copy" && function.inputs()[0].isTensor()) {
    largest_cast = std::max(largest_cast, function.inputs()[0].toTensor().numel());
  }
  return nullptr;
}

TEST(FrozenTransformer, CastsNoMatrixWhileItDecodes) {
  for (const ModelConfig& config : kinds()) {
    Transformer model(config, 1);
    model.set_compute_dtype(at::kBFloat16);
    const FrozenTransformer frozen = model.freeze();
    layers::KeyValueCache cache;
    frozen.forward(tiny_tokens(1, 1), &cache);
    const at::CallbackHandle handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&watch_casts).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
    largest_cast = 0;
    frozen.forward(tiny_tokens(1, 1, 2), &cache);
    at::removeCallback(handle);
    EXPECT_GT(largest_cast, 0);
    EXPECT_LT(largest_cast, 16 * 32) << "the smallest matrix has as many numbers";
  }
}

TEST(Pass, OfEvaluationChangesNothingAndOfTrainingTheBuffersAlone) {
  for (const ModelConfig& config : kinds()) {
    const Transformer model(config, 1);
    const auto before = copies(model);
    model.loss(tiny_tokens(2, 9)).backward();
    for (const auto& [name, tensor] : named_tensors(model)) EXPECT_TRUE(bit_equal(tensor, before.at(name))) << name;
    layers::Pass pass{.training = true};
    model.loss(tiny_tokens(2, 9), pass).backward();
    std::set<std::string> moved, buffers;
    for (const layers::Parameter& buffer : model.buffers()) buffers.insert(buffer.name);
    for (const auto& [name, tensor] : named_tensors(model)) {
      if (!bit_equal(tensor, before.at(name))) moved.insert(name);
    }
    EXPECT_EQ(moved, buffers);
  }
}

TEST(Pass, DropoutOfOneDoesNotMoveAnother) {
  ModelConfig config = tiny_config({1});
  config.memory.value_dropout = 0.5;
  const Transformer model(config, 1);
  const at::Tensor tokens = tiny_tokens(2, 9);
  layers::Pass alone{.training = true, .dropout = {9, 4}};
  const std::vector<float> expected = {model.loss(tokens, alone).item<float>(),
                                       model.loss(tokens, alone).item<float>()};
  layers::Pass one{.training = true, .dropout = {9, 4}}, other{.training = true, .dropout = {3, 1}};
  EXPECT_EQ(model.loss(tokens, one).item<float>(), expected[0]);
  model.loss(tokens, other);
  model.loss(tokens);
  EXPECT_EQ(model.loss(tokens, one).item<float>(), expected[1]);
}

// One line says what tables a model has.
TEST(Transformer, TakesItsTablesFromAFactory) {
  ModelConfig config = tiny_ngram_config({0});
  config.memory = tiny_config({1}).memory;
  const Transformer near(config, 1);
  std::vector<std::string> names;
  const Transformer far(config, 1, [&](const layers::TableShape& shape) {
    names.push_back(shape.name);
    const auto& all = near.tables();
    const auto same = std::ranges::find(all, shape.name, &Transformer::NamedTable::name);
    EXPECT_EQ(same->table->rows(), shape.rows);
    EXPECT_EQ(same->table->addressing(), shape.addressing);
    return std::make_shared<DistantTable>(shape, rows_of(*same->table));
  });
  EXPECT_EQ(names.size(), 2u);
  const at::Tensor tokens = tiny_tokens(2, 8);
  EXPECT_TRUE(far.forward(tokens).allclose(near.forward(tokens), 1e-4, 1e-5));
  const FrozenTransformer frozen = far.freeze();
  layers::KeyValueCache cache;
  EXPECT_TRUE(frozen.forward(tokens, &cache).allclose(near.forward(tokens), 1e-4, 1e-5));
}

}  // namespace
}  // namespace memlayers::tests
