#include "evaluation/capacity/stored_weights.h"

#include <gtest/gtest.h>

#include "model/frozen_transformer.h"
#include "ops/quantized_bag/quantized_rows_reference.h"
#include "support/tiny_model.h"

namespace memlayers::evaluation {
namespace {

using tests::named_tensors;
using tests::tiny_config;
using tests::tiny_expert_config;
using tests::tiny_tokens;

/// A copy of every tensor.
std::map<std::string, at::Tensor> copies(const model::Transformer& model) {
  auto tensors = named_tensors(model);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  return tensors;
}

at::Tensor rounded(const at::Tensor& tensor, results::StoredFormat format) {
  switch (format) {
    case results::StoredFormat::kFloat32:
      return tensor;
    case results::StoredFormat::kBFloat16:
      return tensor.to(at::kBFloat16).to(at::kFloat);
    case results::StoredFormat::kInt8:
    case results::StoredFormat::kInt4:
      break;
  }
  const at::Tensor rows = tensor.view({-1, tensor.size(-1)});
  return ops::quantized_values_reference(rows, format == results::StoredFormat::kInt8 ? 8 : 4).view_as(tensor);
}

int64_t bytes_of(const at::Tensor& tensor, results::StoredFormat format) {
  const int64_t width = tensor.size(-1), rows = tensor.numel() / width;
  switch (format) {
    case results::StoredFormat::kFloat32:
      return 4 * rows * width;
    case results::StoredFormat::kBFloat16:
      return 2 * rows * width;
    case results::StoredFormat::kInt8:
      return rows * (width + 4);
    case results::StoredFormat::kInt4:
      return rows * (16 * ((width + 31) / 32) + 4);
  }
  return 0;
}

bool is_table(const std::string& name) { return name.starts_with("model.memory_tables."); }
bool is_vector(const std::string& name, const at::Tensor& tensor) {
  return tensor.dim() == 1 || name.ends_with("query_norm.weight") || name.ends_with("key_norm.weight");
}

model::ModelConfig memory_config() {
  model::ModelConfig config = tiny_config({0, 1});
  config.memory.qk_norm = true;
  config.memory.query_batch_norm = true;
  return config;
}

class StoredWeights : public ::testing::TestWithParam<std::tuple<results::StoredFormat, results::StoredFormat>> {
 protected:
  static void expect_rounded(const model::ModelConfig& config) {
    const auto [tables, weights] = GetParam();
    model::Transformer model(config, 4);
    const auto before = copies(model);
    const results::StoredSize size = store_weights(model, tables, weights);
    int64_t bytes = 0, table_bytes = 0;
    for (const auto& [name, tensor] : named_tensors(model)) {
      const bool vector = is_vector(name, tensor);
      const results::StoredFormat format = vector ? results::StoredFormat::kFloat32 : is_table(name) ? tables : weights;
      EXPECT_TRUE(at::equal(tensor, rounded(before.at(name), format))) << name;
      bytes += vector ? 4 * tensor.numel() : bytes_of(tensor, format);
      if (is_table(name)) table_bytes += bytes_of(tensor, format);
    }
    EXPECT_EQ(size.bytes, bytes);
    EXPECT_EQ(size.table_bytes, table_bytes);
  }
};

TEST_P(StoredWeights, AreRoundedAsTheirFormatSaysAndCountedInBytes) {
  expect_rounded(memory_config());
  expect_rounded(tiny_expert_config());
}

INSTANTIATE_TEST_SUITE_P(Formats, StoredWeights,
                         ::testing::Values(std::tuple{results::StoredFormat::kFloat32, results::StoredFormat::kFloat32},
                                           std::tuple{results::StoredFormat::kBFloat16,
                                                      results::StoredFormat::kFloat32},
                                           std::tuple{results::StoredFormat::kInt8, results::StoredFormat::kBFloat16},
                                           std::tuple{results::StoredFormat::kFloat32, results::StoredFormat::kInt8},
                                           std::tuple{results::StoredFormat::kInt4, results::StoredFormat::kInt4}));

TEST(StoredSize, CountsEveryTrainedNumberOnce) {
  for (const bool tied : {false, true}) {
    model::ModelConfig config = memory_config();
    config.tie_word_embeddings = tied;
    model::Transformer model(config, 4);
    int64_t all = 0, embedding = 0, tables = 0;
    for (const layers::Parameter& parameter : model.parameters()) {
      all += parameter.tensor->numel();
      const bool text = parameter.name == "model.embed_tokens.weight" || parameter.name == "lm_head.weight";
      if (text) embedding += parameter.tensor->numel();
    }
    for (const auto& [name, table] : model.tables()) tables += table->rows() * table->value_dim();
    const results::StoredSize size =
        store_weights(model, results::StoredFormat::kFloat32, results::StoredFormat::kFloat32);
    EXPECT_EQ(embedding, 67 * 32 * (tied ? 1 : 2));
    EXPECT_EQ(size.parameters, all + tables);
    EXPECT_EQ(size.non_embedding, all + tables - embedding);
    EXPECT_EQ(size.table_parameters, 64 * 32);
  }
}

/// What a layer keeps from an earlier pass must not outlive the weights it was made from.
TEST(StoredWeightsOfAModel, AreWhatItComputesWith) {
  model::Transformer used(memory_config(), 4), fresh(memory_config(), 4);
  const at::Tensor tokens = tiny_tokens(2, 10);
  const at::NoGradGuard no_grad;
  layers::KeyValueCache first, second, third;
  const at::Tensor before = used.freeze().forward(tokens, &first);
  store_weights(used, results::StoredFormat::kInt4, results::StoredFormat::kInt8);
  store_weights(fresh, results::StoredFormat::kInt4, results::StoredFormat::kInt8);
  const at::Tensor after = used.freeze().forward(tokens, &second);
  EXPECT_TRUE(at::equal(after, fresh.freeze().forward(tokens, &third)));
  EXPECT_FALSE(at::equal(after, before));
}

}  // namespace
}  // namespace memlayers::evaluation
