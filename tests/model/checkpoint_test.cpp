#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/safetensors/safetensors.h"
#include "support/error_of.h"
#include "support/parity_files.h"
#include "support/temporary_file.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

namespace fs = std::filesystem;
using model::ModelConfig;
using model::Transformer;

// Tensors of a saved file, to be written again changed.
struct Tampered {
  base::SafetensorsFile file;
  std::vector<base::NamedTensor> tensors;
  explicit Tampered(const fs::path& folder) : file(folder / "model.safetensors") {
    for (const auto& [name, view] : file.tensors()) tensors.push_back({name, view});
  }
  base::NamedTensor& find(const std::string& name) {
    for (base::NamedTensor& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw std::runtime_error(name);
  }
};

ModelConfig rich_config() {
  ModelConfig config = tiny_config({0, 2});
  config.memory.qk_norm = config.memory.query_batch_norm = config.memory.scalar_gate = config.memory.softmax_sink =
      true;
  return config;
}

class Checkpoint : public ::testing::Test {
 protected:
  // Saves, changes the tensors, and gives the message of loading.
  std::string message_after(const std::function<void(Tampered&)>& change) {
    model::save_model(Transformer(tiny_config({1}), 1), folder_.path());
    Tampered tampered(folder_.path());
    change(tampered);
    ScratchFolder other;
    fs::copy(folder_.path() / "config.json", other.path());
    base::write_safetensors(other.path() / "model.safetensors", tampered.tensors);
    return error_of<base::Error>([&] { model::load_model(other.path()); });
  }

  ScratchFolder folder_;
};

TEST_F(Checkpoint, RoundTripIsBitEqualForEveryKind) {
  ModelConfig peer = tiny_config({1}), tied = tiny_config({}), embedding = tiny_config({0}),
              separate = tiny_config({0, 2});
  peer.memory.variant = layers::MemoryVariant::kPeer;
  tied.tie_word_embeddings = true;
  embedding.memory.placement = layers::MemoryPlacement::kEmbedding;
  separate.memory.shared_table = false;
  ModelConfig mixed = tiny_expert_config();
  mixed.memory.layers = {1};
  ModelConfig ngrams = tiny_ngram_config();
  ngrams.memory.layers = {1};
  for (const ModelConfig& config : {tiny_config({}), rich_config(), peer, tied, embedding, separate, mixed, ngrams}) {
    Transformer model(config, 5);
    for (const layers::Parameter& buffer : model.buffers()) buffer.tensor->fill_(0.25);
    model::save_model(model, folder_.path());
    const auto loaded = model::load_model(folder_.path());
    const auto expected = named_tensors(model), actual = named_tensors(*loaded);
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, tensor] : expected) EXPECT_TRUE(bit_equal(actual.at(name), tensor)) << name;
    const at::Tensor tokens = tiny_tokens(2, 8);
    EXPECT_TRUE(bit_equal(loaded->forward(tokens), model.forward(tokens)));
    if (config.memory.layers.empty()) continue;  // a dense one leaves its unused memory options behind
    EXPECT_EQ(base::config_to_yaml(loaded->config()), base::config_to_yaml(model.config()));
  }
}

TEST_F(Checkpoint, LoadedModelsTrain) {
  model::save_model(Transformer(tiny_config({1}), 5), folder_.path());
  const auto loaded = model::load_model(folder_.path());
  loaded->loss(tiny_tokens(2, 9)).backward();
  for (const layers::Parameter& parameter : loaded->parameters()) {
    EXPECT_TRUE(parameter.tensor->grad().defined()) << parameter.name;
  }
}

TEST_F(Checkpoint, ShardsHoldEveryTensorOnceAndTheIndexFindsThem) {
  const Transformer model(rich_config(), 5);
  model::save_model(model, folder_.path(), 20'000);
  EXPECT_FALSE(fs::exists(folder_.path() / "model.safetensors"));
  const auto index = nlohmann::json::parse(base::read_text(folder_.path() / "model.safetensors.index.json"));
  EXPECT_EQ(index["weight_map"].size(), named_tensors(model).size());
  std::map<std::string, int> files;
  for (const auto& [name, file] : index["weight_map"].items()) ++files[file];
  EXPECT_GT(files.size(), 2u);
  size_t held = 0;
  for (const auto& [file, count] : files) held += base::SafetensorsFile(folder_.path() / file).tensors().size();
  EXPECT_EQ(held, named_tensors(model).size());
  for (const auto& [name, tensor] : named_tensors(*model::load_model(folder_.path()))) {
    EXPECT_TRUE(bit_equal(tensor, named_tensors(model).at(name))) << name;
  }
  model::save_model(model, folder_.path());  // in one file again: the index is of the past
  EXPECT_FALSE(fs::exists(folder_.path() / "model.safetensors.index.json"));
  const tests::TemporaryFolder two;
  model::save_model(model, two.path(), 20'000);
  fs::copy_file(folder_.path() / "model.safetensors", two.path() / "model.safetensors");  // which of them is meant?
  EXPECT_TRUE(
      tests::contains(tests::error_of<base::IoError>([&] { model::load_model(two.path()); }), "not the model's"));
}

TEST_F(Checkpoint, ADenseCheckpointIsALlamaCheckpoint) {
  model::save_model(Transformer(tiny_config({}), 5), folder_.path());
  const auto config = nlohmann::json::parse(base::read_text(folder_.path() / "config.json"));
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["architectures"], nlohmann::json::array({"LlamaForCausalLM"}));
  EXPECT_FALSE(config.contains("memory"));
  const base::SafetensorsFile file(folder_.path() / "model.safetensors");
  EXPECT_EQ(file.tensors().size(), 3u + 9 * 3);
  EXPECT_TRUE(file.contains("model.layers.2.self_attn.k_proj.weight"));
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST_F(Checkpoint, NarrowFilesAreReadIntoFloat32) {
  const Transformer model(tiny_config({1}), 5);
  model::save_model(model, folder_.path());
  Tampered tampered(folder_.path());
  std::vector<at::Tensor> kept;
  for (base::NamedTensor& tensor : tampered.tensors) {
    kept.push_back(named_tensors(model).at(tensor.name).to(kept.size() % 2 ? at::kHalf : at::kBFloat16).contiguous());
    tensor.view.dtype = kept.size() % 2 ? base::Dtype::kBF16 : base::Dtype::kF16;
    tensor.view.bytes = {static_cast<const std::byte*>(kept.back().const_data_ptr()), kept.back().nbytes()};
  }
  ScratchFolder other;
  fs::copy(folder_.path() / "config.json", other.path());
  base::write_safetensors(other.path() / "model.safetensors", tampered.tensors);
  const auto loaded = named_tensors(*model::load_model(other.path()));
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_TRUE(bit_equal(loaded.at(tampered.tensors[i].name), kept[i].to(at::kFloat))) << tampered.tensors[i].name;
  }
}

TEST_F(Checkpoint, BFloat16TablesSurviveTheRoundTrip) {
  Transformer model(tiny_config({1}), 5);
  model.set_compute_dtype(at::kBFloat16);
  model::save_model(model, folder_.path());
  const auto loaded = model::load_model(folder_.path());
  loaded->set_compute_dtype(at::kBFloat16);
  EXPECT_TRUE(bit_equal(rows_of(*loaded->tables()[0].table), rows_of(*model.tables()[0].table)));
}

// A table alone in bfloat16 is no bfloat16 model: whoever loads all of it as such loses half of every other weight.
TEST_F(Checkpoint, TheConfigurationSaysWhatWeightsAreStoredAs) {
  const auto stored = [&](const Transformer& model) {
    model::save_model(model, folder_.path());
    return nlohmann::json::parse(base::read_text(folder_.path() / "config.json"))["torch_dtype"].get<std::string>();
  };
  Transformer model(tiny_config({1}), 5);
  EXPECT_EQ(stored(model), "float32");
  model.set_compute_dtype(at::kBFloat16);  // converts the table
  EXPECT_EQ(stored(model), "float32");
  for (const layers::ParameterList* list : {&model.parameters(), &model.buffers()}) {
    for (const layers::Parameter& parameter : *list) *parameter.tensor = parameter.tensor->detach().to(at::kBFloat16);
  }
  EXPECT_EQ(stored(model), "bfloat16");
}

TEST_F(Checkpoint, OldRotaryFrequenciesAndTheTiedHeadsCopyAreAccepted) {
  ModelConfig config = tiny_config({});
  config.tie_word_embeddings = true;
  model::save_model(Transformer(config, 5), folder_.path());
  Tampered tampered(folder_.path());
  EXPECT_FALSE(tampered.file.contains("lm_head.weight"));
  base::TensorView head = tampered.find("model.embed_tokens.weight").view;
  const base::TensorView norm = tampered.find("model.norm.weight").view;
  tampered.tensors.push_back({"lm_head.weight", head});
  tampered.tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", norm});
  ScratchFolder other;
  fs::copy(folder_.path() / "config.json", other.path());
  base::write_safetensors(other.path() / "model.safetensors", tampered.tensors);
  EXPECT_NO_THROW(model::load_model(other.path()));
  const std::vector<std::byte> zeros(head.bytes.size());
  tampered.find("lm_head.weight").view.bytes = zeros;
  base::write_safetensors(other.path() / "model.safetensors", tampered.tensors);
  EXPECT_NE(error_of<base::Error>([&] { model::load_model(other.path()); }).find("lm_head.weight"), std::string::npos);
}

TEST_F(Checkpoint, AMissingTensorIsNamed) {
  const std::string message = message_after([](Tampered& t) {
    std::erase_if(t.tensors, [](const auto& tensor) { return tensor.name == "model.layers.1.memory.sub_keys"; });
  });
  EXPECT_NE(message.find("model.layers.1.memory.sub_keys is missing"), std::string::npos) << message;
}

TEST_F(Checkpoint, ATensorOfAnotherShapeIsNamedWithBothShapes) {
  const std::string message = message_after([](Tampered& t) {
    t.find("model.layers.0.mlp.up_proj.weight").view.shape = {32, 64};
  });
  EXPECT_NE(message.find("model.layers.0.mlp.up_proj.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("[32, 64]"), std::string::npos) << message;
  EXPECT_NE(message.find("[64, 32]"), std::string::npos) << message;
}

TEST_F(Checkpoint, ATensorWithoutAPlaceIsNamed) {
  const std::string message = message_after([](Tampered& t) {
    t.tensors.push_back({"model.layers.7.mlp.up_proj.weight", t.find("model.norm.weight").view});
  });
  EXPECT_NE(message.find("model.layers.7.mlp.up_proj.weight"), std::string::npos) << message;
}

TEST_F(Checkpoint, ATensorOfIntegersIsNamed) {
  const std::string message =
      message_after([](Tampered& t) { t.find("model.norm.weight").view.dtype = base::Dtype::kI32; });
  EXPECT_NE(message.find("model.norm.weight"), std::string::npos) << message;
}

TEST_F(Checkpoint, ATruncatedFileIsNamed) {
  model::save_model(Transformer(tiny_config({1}), 1), folder_.path());
  fs::resize_file(folder_.path() / "model.safetensors", fs::file_size(folder_.path() / "model.safetensors") - 100);
  const std::string message = error_of<base::Error>([&] { model::load_model(folder_.path()); });
  EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
}

TEST_F(Checkpoint, AMissingShardAndADamagedIndexAreNamed) {
  model::save_model(Transformer(tiny_config({1}), 1), folder_.path(), 20'000);
  fs::path second;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    if (entry.path().filename().string().starts_with("model-00002")) second = entry.path();
  }
  fs::remove(second);
  EXPECT_NE(error_of<base::Error>([&] { model::load_model(folder_.path()); }).find(second.filename().string()),
            std::string::npos);
  base::write_text_atomically(folder_.path() / "model.safetensors.index.json", "{\"weight_map\": 3}");
  EXPECT_NE(error_of<base::Error>([&] { model::load_model(folder_.path()); }).find("weight_map"), std::string::npos);
  base::write_text_atomically(folder_.path() / "model.safetensors.index.json", R"({"weight_map": {"a": "../b"}})");
  EXPECT_NE(error_of<base::Error>([&] { model::load_model(folder_.path()); }).find("no file of this folder"),
            std::string::npos);
}

TEST_F(Checkpoint, AnEmptyFolderIsRefused) {
  EXPECT_NE(error_of<base::Error>([&] { model::load_model(folder_.path()); }).find("config.json"), std::string::npos);
}

TEST(LlamaFolder, ThatLeavesOutDefaultsGivesTheLogitsOfTransformers) {
  const std::filesystem::path folder = parity_folder() / "llama_defaults_omitted";
  const auto model = model::load_model(folder);
  const base::SafetensorsFile expected(folder / "expected.safetensors");
  const auto tensor = [&](const char* name, at::ScalarType dtype) {
    const base::TensorView& view = expected.tensor(name);
    return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(dtype));
  };
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->forward(tensor("input_ids", at::kLong));
  EXPECT_LT((logits - tensor("logits", at::kFloat)).abs().max().item<float>(), 1e-4);
}

}  // namespace
}  // namespace memlayers::tests
