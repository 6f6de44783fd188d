// Memory layers for a model that has none.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/transformer.h"

namespace memlayers::model {

/// The model of `folder` with memory layers. `settings` are keys of the memory section, "layers=3,11" and the like;
/// placement is beside unless they say otherwise. What is new is initialized by `seed`, as in a new model: beside
/// feed-forwards the output projection is zero, so the model's outputs are the same bits; in place of feed-forwards,
/// which are then left out, it starts from nothing. Throws UsageError: a setting that does not fit, a model that has a
/// memory; IoError: the folder's files.
std::unique_ptr<Transformer> with_memory(const std::filesystem::path& folder, const std::vector<std::string>& settings,
                                         uint64_t seed);

}  // namespace memlayers::model
