// What a checkpoint says of the run it comes from.
#pragma once

#include <filesystem>
#include <optional>

#include "training/train_config.h"

namespace memlayers::cli {

/// The configuration a checkpoint was trained with; nothing for a bare model. Throws IoError (damaged).
std::optional<training::TrainConfig> trained_config(const std::filesystem::path& checkpoint);

}  // namespace memlayers::cli
