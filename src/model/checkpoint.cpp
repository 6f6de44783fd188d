#include "model/checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/file.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;

/// The widest dtype that weights are stored as: whoever loads all of them as that loses nothing.
std::string stored_dtype(const NamedTensors& weights) {
  static constexpr std::pair<at::ScalarType, const char*> kWidestFirst[] = {
      {at::kDouble, "float64"}, {at::kFloat, "float32"}, {at::kBFloat16, "bfloat16"}, {at::kHalf, "float16"}};
  for (const auto& [dtype, name] : kWidestFirst) {
    for (const auto& [unused, tensor] : weights) {
      if (tensor.scalar_type() == dtype) return name;
    }
  }
  return "float32";
}

/// The rotation in both spellings: transformers 5 reads rope_parameters, version 4 the older keys alone.
void spell_rotation(const ModelConfig& config, nlohmann::ordered_json& json) {
  const layers::RopeScaling& scaling = config.rope_scaling;
  nlohmann::ordered_json older = {{"rope_type", base::enum_name(scaling.rope_type)}};
  if (scaling.rope_type != layers::RopeType::kDefault) older["factor"] = scaling.factor;
  if (scaling.rope_type == layers::RopeType::kLlama3) {
    older["low_freq_factor"] = scaling.low_freq_factor;
    older["high_freq_factor"] = scaling.high_freq_factor;
    older["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  }
  nlohmann::ordered_json newer = older;
  newer["rope_theta"] = config.rope_theta;
  if (scaling.rope_type == layers::RopeType::kDefault) older = nullptr;
  json["rope_scaling"] = std::move(older);
  json["rope_parameters"] = std::move(newer);
}

/// What a model type of Hugging Face's says by its name is no key there.
void drop_implied_keys(const ModelConfig& config, nlohmann::ordered_json& json) {
  if (config.model_type == "memlayers") return;
  json.erase("attention_output_bias");
  json.erase("query_key_norm");
  if (config.model_type == "qwen2") json.erase("attention_bias");
  if (config.model_type != "llama") json.erase("mlp_bias");
}

void write_config(const ModelConfig& config, const std::string& dtype, const fs::path& folder) {
  nlohmann::ordered_json json = base::config_to_json(config);
  spell_rotation(config, json);
  drop_implied_keys(config, json);
  // Without any of them it is a Llama configuration and nothing else.
  if (config.memory.layers.empty()) json.erase("memory");
  if (config.experts.layers.empty()) json.erase("experts");
  if (config.ngrams.layers.empty()) json.erase("ngrams");
  json["hidden_act"] = "silu";
  json["torch_dtype"] = dtype;
  json["dtype"] = dtype;
  base::write_text_atomically(folder / "config.json", json.dump(2) + "\n");
}

// Old Llama checkpoints hold the rotary frequencies, and tied ones may repeat the embedding as head.
bool is_redundant(const std::string& name, const base::TensorView& view, const WeightFiles& files, bool tied) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  const auto embedding = files.tensors().find("model.embed_tokens.weight");
  return tied && name == "lm_head.weight" && embedding != files.tensors().end() &&
         std::ranges::equal(view.bytes, embedding->second.bytes);
}

// A configuration that a program wrote is a file like another: what is wrong with it is no usage error.
std::unique_ptr<Transformer> empty_model(const fs::path& config) {
  try {
    return std::make_unique<Transformer>(load_model_config(config), Transformer::Uninitialized{});
  } catch (const base::UsageError& error) {
    std::string_view reason = error.what();
    if (reason.starts_with(config.string())) reason.remove_prefix(config.string().size());
    if (reason.starts_with(": ")) reason.remove_prefix(2);
    const bool line = reason.starts_with(":");
    throw base::IoError(config, (line ? "line " + std::string(reason.substr(1)) : std::string(reason)));
  }
}

}  // namespace

NamedTensors weights_of(const Transformer& model) {
  NamedTensors weights;
  for (const layers::ParameterList* list : {&model.parameters(), &model.buffers()}) {
    for (const layers::Parameter& parameter : *list) weights.emplace_back(parameter.name, parameter.tensor->detach());
  }
  for (const Transformer::NamedTable& named : model.tables()) {
    for (const auto& [name, tensor] : named.table->tensors()) weights.emplace_back(name, tensor);
  }
  return weights;
}

void save_model(const Transformer& model, const fs::path& folder, uint64_t max_shard_bytes,
                std::optional<at::ScalarType> dtype) {
  NamedTensors weights = weights_of(model);
  for (auto& [name, tensor] : weights) tensor = dtype ? tensor.to(*dtype) : tensor;
  write_config(model.config(), stored_dtype(weights), folder);
  write_weights(folder, weights, max_shard_bytes);
}

void load_weights(Transformer& model, const fs::path& folder) {
  const at::NoGradGuard no_grad;
  const WeightFiles files(folder);
  const NamedTensors weights = weights_of(model);
  std::set<std::string> known;
  for (const auto& [name, tensor] : weights) known.insert(name);
  for (const auto& [name, view] : files.tensors()) {
    if (!known.contains(name) && !is_redundant(name, view, files, model.config().tie_word_embeddings)) {
      throw base::IoError(folder,
                          base::concat("tensor ", name, " has no place in the model that config.json describes"));
    }
  }
  for (const auto& [name, tensor] : weights) files.fill(name, tensor);
}

std::unique_ptr<Transformer> load_model(const fs::path& folder) {
  auto model = empty_model(folder / "config.json");
  load_weights(*model, folder);
  return model;
}

}  // namespace memlayers::model
