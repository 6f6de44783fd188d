// From what a person names to a model that can be asked.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/compute_dtype.h"
#include "model/transformer.h"
#include "text/tokenizer.h"

namespace memlayers::generation {

/// The model folder `path` names: itself when it holds a config.json, else the newest good checkpoint of the run it is.
/// Throws UsageError saying what `path` is instead.
std::filesystem::path model_folder(const std::filesystem::path& path);

struct LoadedModel {
  std::filesystem::path folder;
  std::unique_ptr<model::Transformer> model;
  std::shared_ptr<const text::Tokenizer> tokenizer;
};

/// Loads what model_folder(path) holds, to compute in `dtype`. Throws UsageError, IoError.
LoadedModel load_named_model(const std::filesystem::path& path,
                             model::ComputeDtype dtype = model::ComputeDtype::kFloat32);

}  // namespace memlayers::generation
