#include "model/checkpoint.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/safetensors.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

// A tensor of the model under its name in files.
struct Entry {
  std::string name;
  at::Tensor tensor;
};

std::vector<Entry> entries_of(const Transformer& model) {
  std::vector<Entry> entries;
  for (const layers::ParameterList* list : {&model.parameters(), &model.buffers()}) {
    for (const layers::Parameter& parameter : *list) entries.push_back({parameter.name, parameter.tensor->detach()});
  }
  for (const Transformer::NamedTable& named : model.tables()) {
    for (const auto& [name, tensor] : named.table->tensors()) entries.push_back({name, tensor});
  }
  return entries;
}

base::Dtype file_dtype(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return base::Dtype::kF32;
    case at::kBFloat16:
      return base::Dtype::kBF16;
    case at::kHalf:
      return base::Dtype::kF16;
    default:
      return base::Dtype::kF64;
  }
}

base::NamedTensor named_tensor(const Entry& entry) {
  const auto* data = static_cast<const std::byte*>(entry.tensor.const_data_ptr());
  return {entry.name, {file_dtype(entry.tensor), entry.tensor.sizes().vec(), {data, entry.tensor.nbytes()}}};
}

// Consecutive tensors while they fit; a tensor larger than the limit has a shard of its own.
std::vector<std::vector<base::NamedTensor>> split_shards(const std::vector<Entry>& entries, uint64_t max_bytes) {
  std::vector<std::vector<base::NamedTensor>> shards;
  uint64_t bytes = 0;
  for (const Entry& entry : entries) {
    const uint64_t size = entry.tensor.nbytes();
    if (shards.empty() || bytes + size > max_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(named_tensor(entry));
    bytes += size;
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

void write_config(const ModelConfig& config, const fs::path& folder) {
  Json json = base::config_to_json(config);
  // Without any of them it is a Llama configuration and nothing else.
  if (config.memory.layers.empty()) json.erase("memory");
  if (config.experts.layers.empty()) json.erase("experts");
  if (config.ngrams.layers.empty()) json.erase("ngrams");
  json["hidden_act"] = "silu";
  json["torch_dtype"] = "float32";
  base::write_text_atomically(folder / "config.json", json.dump(2) + "\n");
}

void write_shards(const std::vector<std::vector<base::NamedTensor>>& shards, const fs::path& folder) {
  Json map = Json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    for (const base::NamedTensor& tensor : shards[i]) {
      map[tensor.name] = name;
      total += tensor.view.bytes.size();
    }
    base::write_safetensors(folder / name, shards[i]);
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  base::write_text_atomically(folder / kIndexFile, index.dump(2) + "\n");
}

// The folder's files and which of them holds a tensor.
class WeightFiles {
 public:
  explicit WeightFiles(const fs::path& folder) : folder_(folder) {
    if (!fs::exists(folder / kIndexFile)) {
      add_file(kSingleFile);
      return;
    }
    for (const auto& [name, file] : read_index()) {
      if (!files_.contains(file)) add_file(file);
      if (!files_.at(file).contains(name)) {
        throw base::IoError(folder / kIndexFile, base::concat("says that ", file, " holds ", name, "; it does not"));
      }
    }
  }

  /// Name to tensor, over all files.
  const std::map<std::string, base::TensorView>& tensors() const { return tensors_; }
  const fs::path& folder() const { return folder_; }

 private:
  std::map<std::string, std::string> read_index() const {
    const fs::path path = folder_ / kIndexFile;
    const Json json = Json::parse(base::read_text(path), nullptr, false);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
      throw base::IoError(path, "is not a safetensors index (JSON object with weight_map)");
    }
    std::map<std::string, std::string> map;
    for (const auto& [name, file] : json["weight_map"].items()) {
      const bool plain = file.is_string() && !fs::path(file.get<std::string>()).has_parent_path();
      if (!plain) throw base::IoError(path, "names no file of this folder for " + name);
      map[name] = file.get<std::string>();
    }
    return map;
  }

  void add_file(const std::string& name) {
    const base::SafetensorsFile& file = files_.try_emplace(name, folder_ / name).first->second;
    for (const auto& [tensor, view] : file.tensors()) {
      if (!tensors_.emplace(tensor, view).second) {
        throw base::IoError(folder_ / name, base::concat("holds ", tensor, ", which another shard holds too"));
      }
    }
  }

  fs::path folder_;
  std::map<std::string, base::SafetensorsFile> files_;
  std::map<std::string, base::TensorView> tensors_;
};

at::ScalarType tensor_dtype(const std::string& name, base::Dtype dtype, const fs::path& folder) {
  switch (dtype) {
    case base::Dtype::kF32:
      return at::kFloat;
    case base::Dtype::kBF16:
      return at::kBFloat16;
    case base::Dtype::kF16:
      return at::kHalf;
    case base::Dtype::kF64:
      return at::kDouble;
    default:
      throw base::IoError(
          folder, base::concat(name, " has dtype ", base::dtype_name(dtype), "; expected F32, BF16, F16 or F64"));
  }
}

// A view of the mapped bytes; copied from before the file is unmapped.
at::Tensor mapped_tensor(const std::string& name, const base::TensorView& view, const fs::path& folder) {
  const at::ScalarType dtype = tensor_dtype(name, view.dtype, folder);
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(dtype));
}

// Old Llama checkpoints hold the rotary frequencies, and tied ones may repeat the embedding as head.
bool is_redundant(const std::string& name, const base::TensorView& view, const WeightFiles& files, bool tied) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  const auto embedding = files.tensors().find("model.embed_tokens.weight");
  return tied && name == "lm_head.weight" && embedding != files.tensors().end() &&
         std::ranges::equal(view.bytes, embedding->second.bytes);
}

void fill(const Entry& entry, const WeightFiles& files) {
  const auto found = files.tensors().find(entry.name);
  if (found == files.tensors().end()) {
    throw base::IoError(files.folder(), base::concat("tensor ", entry.name, " is missing"));
  }
  const at::IntArrayRef shape(found->second.shape);
  if (shape != entry.tensor.sizes()) {
    throw base::IoError(files.folder(), base::concat("tensor ", entry.name, " has shape ", shape,
                                                     ", but config.json makes it ", entry.tensor.sizes()));
  }
  at::Tensor target = entry.tensor;
  target.copy_(mapped_tensor(entry.name, found->second, files.folder()));
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

void save_model(const Transformer& model, const fs::path& folder, uint64_t max_shard_bytes) {
  std::vector<Entry> entries = entries_of(model);
  for (Entry& entry : entries) entry.tensor = entry.tensor.contiguous();
  write_config(model.config(), folder);
  const auto shards = split_shards(entries, max_shard_bytes);
  if (shards.size() > 1) {
    write_shards(shards, folder);
  } else {
    base::write_safetensors(folder / kSingleFile, shards.at(0));
    fs::remove(folder / kIndexFile);  // of an earlier, sharded save
  }
}

void load_weights(Transformer& model, const fs::path& folder) {
  const at::NoGradGuard no_grad;
  const WeightFiles files(folder);
  const std::vector<Entry> entries = entries_of(model);
  std::map<std::string, bool> known;
  for (const Entry& entry : entries) known[entry.name] = true;
  for (const auto& [name, view] : files.tensors()) {
    if (!known.contains(name) && !is_redundant(name, view, files, model.config().tie_word_embeddings)) {
      throw base::IoError(folder,
                          base::concat("tensor ", name, " has no place in the model that config.json describes"));
    }
  }
  for (const Entry& entry : entries) fill(entry, files);
}

std::unique_ptr<Transformer> load_model(const fs::path& folder) {
  auto model = empty_model(folder / "config.json");
  load_weights(*model, folder);
  return model;
}

}  // namespace memlayers::model
