#include "model/tensor_files.h"

#include <ATen/ATen.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/safetensors/safetensors_header.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

constexpr std::pair<base::Dtype, at::ScalarType> kDtypes[] = {
    {base::Dtype::kBool, at::kBool},  {base::Dtype::kU8, at::kByte},       {base::Dtype::kI8, at::kChar},
    {base::Dtype::kI16, at::kShort},  {base::Dtype::kU16, at::kUInt16},    {base::Dtype::kI32, at::kInt},
    {base::Dtype::kU32, at::kUInt32}, {base::Dtype::kI64, at::kLong},      {base::Dtype::kU64, at::kUInt64},
    {base::Dtype::kF16, at::kHalf},   {base::Dtype::kBF16, at::kBFloat16}, {base::Dtype::kF32, at::kFloat},
    {base::Dtype::kF64, at::kDouble},
};

/// `tensor` must live, and be contiguous, until the view is written.
base::NamedTensor view_of(const std::string& name, const at::Tensor& tensor) {
  const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
  return {name, {file_dtype(tensor.scalar_type()), tensor.sizes().vec(), {data, tensor.nbytes()}}};
}

/// Consecutive tensors while they fit; a tensor larger than the limit has a shard of its own.
std::vector<NamedTensors> split_shards(const NamedTensors& tensors, uint64_t max_bytes) {
  std::vector<NamedTensors> shards(1);
  uint64_t bytes = 0;
  for (const auto& named : tensors) {
    const uint64_t size = named.second.nbytes();
    if (!shards.back().empty() && bytes + size > max_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(named);
    bytes += size;
  }
  return shards;
}

std::string shard_name(size_t index, size_t count) {
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

void write_shards(const std::vector<NamedTensors>& shards, const fs::path& folder) {
  Json map = Json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string file = shard_name(i, shards.size());
    for (const auto& [name, tensor] : shards[i]) {
      map[name] = file;
      total += tensor.nbytes();
    }
    write_tensors(folder / file, shards[i]);
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  base::write_text_atomically(folder / kIndexFile, index.dump(2) + "\n");
}

/// A parser keeps one of two equal keys and says nothing; here the first key that comes twice in an object is an error.
Json parse_without_repetition(const fs::path& path) {
  std::vector<std::set<std::string>> open;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second) {
      throw base::IoError(path, "lists " + base::shown_name(value.get<std::string>()) + " twice");
    }
    return true;
  };
  return Json::parse(base::read_text(path), watch, false);
}

/// Tensor -> file.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const Json json = parse_without_repetition(path);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw base::IoError(path, "is not a safetensors index (JSON object with weight_map)");
  }
  std::map<std::string, std::string> map;
  for (const auto& [name, value] : json["weight_map"].items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : "";
    const bool plain =
        !file.empty() && file != "." && file != ".." && file.find('/') == file.npos && file.find('\0') == file.npos;
    if (!plain) {
      throw base::IoError(path, base::concat("names no file of this folder for ", base::shown_name(name), ", but ",
                                             base::shown_name(value.dump())));
    }
    if (!fs::exists(path.parent_path() / file)) {
      throw base::IoError(path, base::concat("says that ", base::shown_name(file), " holds ", base::shown_name(name),
                                             "; that file is missing (was the download complete?)"));
    }
    map[name] = file;
  }
  return map;
}

}  // namespace

base::Dtype file_dtype(at::ScalarType dtype) {
  for (const auto& [in_file, in_memory] : kDtypes) {
    if (in_memory == dtype) return in_file;
  }
  throw base::UsageError(base::concat("tensors of ", at::toString(dtype), " cannot be kept in a safetensors file"));
}

at::ScalarType tensor_dtype(base::Dtype dtype) {
  for (const auto& [in_file, in_memory] : kDtypes) {
    if (in_file == dtype) return in_memory;
  }
  throw base::UsageError("tensors of " + base::dtype_name(dtype) + " have no dtype in memory");
}

const std::string* first_not_finite(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (!at::isFloatingType(tensor.scalar_type()) || tensor.numel() == 0) continue;
    const auto [least, most] = at::aminmax(tensor);  // a NaN anywhere makes both NaN
    if (!std::isfinite(least.item<double>()) || !std::isfinite(most.item<double>())) return &name;
  }
  return nullptr;
}

void write_tensors(const fs::path& path, const NamedTensors& tensors) {
  std::vector<at::Tensor> kept;
  std::vector<base::NamedTensor> views;
  for (const auto& [name, tensor] : tensors) views.push_back(view_of(name, kept.emplace_back(tensor.contiguous())));
  base::write_safetensors(path, std::move(views));
}

void read_tensors(const fs::path& path, const NamedTensors& tensors) {
  const base::SafetensorsFile file(path);
  if (file.tensors().size() != tensors.size()) {
    throw base::IoError(path, base::concat("holds ", file.tensors().size(), " tensors where ", tensors.size(),
                                           " are expected: it belongs to another model or optimizer"));
  }
  for (const auto& [name, tensor] : tensors) {
    const base::TensorView& view = file.tensor(name);
    if (view.dtype != file_dtype(tensor.scalar_type()) || view.shape != tensor.sizes().vec()) {
      throw base::IoError(path, base::concat("tensor ", name, " has another shape or dtype than this run's"));
    }
    assert(tensor.is_contiguous() && view.bytes.size() == size_t(tensor.nbytes()));
    if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  }
}

void write_weights(const fs::path& folder, const NamedTensors& tensors, uint64_t max_shard_bytes) {
  const std::vector<NamedTensors> shards = split_shards(tensors, max_shard_bytes);
  if (shards.size() > 1) {
    write_shards(shards, folder);
    fs::remove(folder / kSingleFile);
  } else {
    write_tensors(folder / kSingleFile, shards[0]);
    fs::remove(folder / kIndexFile);
  }
}

WeightFiles::WeightFiles(const fs::path& folder) : folder_(folder) {
  if (!fs::exists(folder / kIndexFile)) {
    add_file(kSingleFile);
    return;
  }
  for (const auto& [name, file] : read_index(folder / kIndexFile)) {
    if (!files_.contains(file)) add_file(file);
    if (!files_.at(file).contains(name)) {
      throw base::IoError(folder / kIndexFile, base::concat("says that ", base::shown_name(file), " holds ",
                                                            base::shown_name(name), "; it does not"));
    }
  }
  // Hugging Face's library would read the one file and pass over the others without a word.
  if (!files_.contains(kSingleFile) && fs::exists(folder / kSingleFile)) {
    throw base::IoError(folder, base::concat("holds ", kSingleFile, " beside the files that ", kIndexFile,
                                             " names; take away what is not the model's"));
  }
}

void WeightFiles::add_file(const std::string& name) {
  const base::SafetensorsFile& file = files_.try_emplace(name, folder_ / name).first->second;
  for (const auto& [tensor, view] : file.tensors()) {
    if (!tensors_.emplace(tensor, view).second) {
      throw base::IoError(folder_ / name,
                          base::concat("holds ", base::shown_name(tensor), ", which another shard holds too"));
    }
  }
}

void WeightFiles::fill(const std::string& name, at::Tensor target) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw base::IoError(folder_, base::concat("tensor ", name, " is missing"));
  const base::TensorView& view = found->second;
  const at::IntArrayRef shape(view.shape);
  if (shape != target.sizes()) {
    throw base::IoError(
        folder_, base::concat("tensor ", name, " has shape ", shape, ", but config.json makes it ", target.sizes()));
  }
  const at::ScalarType dtype = tensor_dtype(view.dtype);
  if (!at::isFloatingType(dtype)) {
    throw base::IoError(
        folder_, base::concat(name, " has dtype ", base::dtype_name(view.dtype), "; expected F32, BF16, F16 or F64"));
  }
  target.copy_(at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(dtype)));
}

}  // namespace memlayers::model
