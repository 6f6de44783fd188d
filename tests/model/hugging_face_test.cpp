// Folders of Hugging Face's library: their logits and continuations, and what must not load.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "model/add_memory.h"
#include "model/checkpoint.h"
#include "support/error_of.h"
#include "support/interchange.h"
#include "support/temporary_folder.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;
using tests::contains;
using tests::TemporaryFolder;

constexpr double kTolerance = 1e-4;  // what the folders' README states

at::Tensor expected(const fs::path& folder, const std::string& name) {
  static std::map<fs::path, base::SafetensorsFile> files;
  const auto file = files.try_emplace(folder, folder / "expected.safetensors").first;
  const base::TensorView& view = file->second.tensor(name);
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, tensor_dtype(view.dtype)).clone();
}

/// The model, or nothing and why where it is refused.
std::unique_ptr<Transformer> load(const fs::path& folder, std::string& refusal) {
  try {
    return load_model(folder);
  } catch (const base::Error& error) {
    refusal = error.what();
    return nullptr;
  }
}

class Folders : public testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    const at::NoGradGuard no_grad;
    const auto says = nlohmann::json::parse(base::read_text(GetParam() / "expected.json"));
    model_ = load(GetParam(), refusal_);
    must_load_ = says["expect"] == "accept";
  }
  std::unique_ptr<Transformer> model_;
  std::string refusal_;
  bool must_load_ = true;
};

TEST_P(Folders, GiveTheLibrarysLogits) {
  const at::NoGradGuard no_grad;
  if (!model_) {
    EXPECT_FALSE(must_load_) << refusal_;
    EXPECT_GT(refusal_.size(), GetParam().string().size()) << "the reason is named";
    return;
  }
  const at::Tensor logits = model_->forward(expected(GetParam(), "input_ids"));
  EXPECT_LE((logits - expected(GetParam(), "logits")).abs().max().item<double>(), kTolerance);
}

TEST_P(Folders, ContinueAsTheLibraryDoes) {
  const at::NoGradGuard no_grad;
  if (!model_) return;  // refused, as looked at above
  for (int k = 0; k < 3; ++k) {
    const std::string name = "greedy." + std::to_string(k);
    at::Tensor ids = expected(GetParam(), name + ".prompt").unsqueeze(0);
    const at::Tensor tokens = expected(GetParam(), name + ".tokens");
    for (int64_t step = 0; step < tokens.size(0); ++step) {
      const at::Tensor next = model_->forward(ids).select(1, -1).argmax(-1);
      ASSERT_EQ(next.item<int64_t>(), tokens[step].item<int64_t>()) << name << " step " << step;
      ids = at::cat({ids, next.unsqueeze(0)}, 1);
    }
  }
}

TEST_P(Folders, AreWrittenAndReadBackEqual) {
  const at::NoGradGuard no_grad;
  if (!model_) return;  // refused, as looked at above
  const TemporaryFolder folder;
  save_model(*model_, folder.path());
  const auto again = load_model(folder.path());
  const NamedTensors before = weights_of(*model_), after = weights_of(*again);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].first, after[i].first);
    EXPECT_TRUE(at::equal(before[i].second, after[i].second)) << before[i].first;
  }
  const at::Tensor ids = expected(GetParam(), "input_ids");
  EXPECT_TRUE(at::equal(model_->forward(ids), again->forward(ids)));
}

std::string name_of(const testing::TestParamInfo<fs::path>& info) {
  return info.param.filename().string() + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, Folders,
                         testing::ValuesIn(tests::interchange_variants("hf_llama", "expected.json")), name_of);

TEST(HuggingFace, RefusesBrokenFoldersAndNamesThem) {
  size_t refused = 0;
  for (const fs::path& collection : tests::interchange_folders("hf_llama")) {
    if (!fs::exists(collection / "broken" / "results.json")) continue;
    for (const auto& item : nlohmann::json::parse(base::read_text(collection / "broken" / "results.json"))) {
      const fs::path folder = collection / "broken" / item["case"].get<std::string>();
      std::string refusal;
      const auto model = load(folder, refusal);
      if (item["must"] == "refuse") {
        EXPECT_FALSE(model) << item["case"];
      }
      if (model) continue;
      EXPECT_TRUE(contains(refusal, folder.filename().string())) << refusal;
      EXPECT_EQ(refusal.find('\n'), std::string::npos) << refusal;
      ++refused;
    }
  }
  if (refused == 0) GTEST_SKIP() << "../shared/interchange/hf_llama is not there";
  EXPECT_GE(refused, 28u);
}

TEST_P(Folders, AreTheSameBitsWithAMemoryBeside) {
  const at::NoGradGuard no_grad;
  if (!model_) return;  // refused, as looked at above
  const std::vector<std::string> settings = {"layers=all", "num_sub_keys=8", "heads=2", "top_k=4", "key_dim=8"};
  const auto larger = with_memory(GetParam(), settings, 5);
  EXPECT_EQ(larger->config().model_type, "memlayers");
  EXPECT_EQ(larger->tables().size(), 1u);
  const at::Tensor ids = expected(GetParam(), "input_ids");
  EXPECT_TRUE(at::equal(model_->forward(ids), larger->forward(ids)));
  // Written and read back, with all that its model type no longer says.
  const TemporaryFolder folder;
  save_model(*larger, folder.path());
  EXPECT_TRUE(at::equal(model_->forward(ids), load_model(folder.path())->forward(ids)));
}

TEST(AddMemory, InPlaceOfFeedForwardsLeavesThemOut) {
  const fs::path folder = fs::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden" / "hf_llama" / "qwen3";
  const auto model = with_memory(folder, {"layers=[1]", "placement=replace", "num_sub_keys=8", "top_k=4"}, 5);
  for (const auto& [name, tensor] : weights_of(*model)) EXPECT_FALSE(name.starts_with("model.layers.1.mlp.")) << name;
  EXPECT_TRUE(at::equal(*model->parameters()[0].tensor, *load_model(folder)->parameters()[0].tensor));
}

TEST(AddMemory, RefusesWhatDoesNotFit) {
  const fs::path folder = fs::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden" / "hf_llama" / "qwen3";
  const auto said = [&](const std::vector<std::string>& settings) {
    return tests::error_of<base::UsageError>([&] { with_memory(folder, settings, 1); });
  };
  EXPECT_TRUE(contains(said({"num_sub_keys=8"}), "layers="));
  EXPECT_TRUE(contains(said({"layers=[7]"}), "block 7"));
  EXPECT_TRUE(contains(said({"layer=[1]"}), "layers"));
  const TemporaryFolder larger;
  save_model(*with_memory(folder, {"layers=[1]", "num_sub_keys=8", "top_k=4"}, 5), larger.path());
  EXPECT_TRUE(
      contains(tests::error_of<base::UsageError>([&] { with_memory(larger.path(), {"layers=[0]"}, 1); }), "already"));
}

TEST(HuggingFace, WritesBothSpellingsOfWhatItRead) {
  const fs::path golden = fs::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden" / "hf_llama";
  const TemporaryFolder folder;
  save_model(*load_model(golden / "rope_llama3"), folder.path());
  auto config = nlohmann::json::parse(base::read_text(folder.path() / "config.json"));
  EXPECT_EQ(config["model_type"], "llama");
  EXPECT_EQ(config["rope_theta"], 500000.0);
  EXPECT_EQ(config["rope_scaling"]["rope_type"], "llama3");
  EXPECT_EQ(config["rope_scaling"]["original_max_position_embeddings"], 64);
  auto newer = config["rope_scaling"];
  newer["rope_theta"] = 500000.0;
  EXPECT_EQ(config["rope_parameters"], newer);
  EXPECT_EQ(config["dtype"], config["torch_dtype"]);
  save_model(*load_model(golden / "qwen3"), folder.path());
  config = nlohmann::json::parse(base::read_text(folder.path() / "config.json"));
  EXPECT_EQ(config["model_type"], "qwen3");
  EXPECT_EQ(config["architectures"][0], "Qwen3ForCausalLM");
  EXPECT_TRUE(config["rope_scaling"].is_null());
  EXPECT_FALSE(config.contains("query_key_norm"));
  save_model(*load_model(golden / "qwen2"), folder.path());
  config = nlohmann::json::parse(base::read_text(folder.path() / "config.json"));
  EXPECT_EQ(config["model_type"], "qwen2");
  EXPECT_FALSE(config.contains("attention_bias"));
}

}  // namespace
}  // namespace memlayers::model
