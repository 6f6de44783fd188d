// Model weights on disk: a Hugging Face style folder (config.json, model*.safetensors, index when sharded).
#pragma once

#include <filesystem>
#include <optional>

#include "model/tensor_files.h"
#include "model/transformer.h"

namespace memlayers::model {

/// Every tensor of a model under its name in files: parameters, buffers, then tables. They are the model's own.
NamedTensors weights_of(const Transformer& model);

/// Writes config.json and model.safetensors (split into shards above `max_shard_bytes`, with the index) into an
/// existing folder. Each table is stored once. Weights are converted to `dtype` where it is given. config.json's
/// torch_dtype is the widest dtype among the weights. Throws IoError.
void save_model(const Transformer& model, const std::filesystem::path& folder, uint64_t max_shard_bytes = 5'000'000'000,
                std::optional<at::ScalarType> dtype = std::nullopt);

/// Builds the model a folder describes. Every tensor must be there with its shape, and no other; float32, bfloat16 and
/// float16 files are read into float32. Throws IoError (damaged file), UsageError (config does not fit).
std::unique_ptr<Transformer> load_model(const std::filesystem::path& folder);

/// Fills an existing model from the folder's tensors.
void load_weights(Transformer& model, const std::filesystem::path& folder);

}  // namespace memlayers::model
