// Training state as named tensors: what goes into a checkpoint's training_state.safetensors and comes back from it.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace memlayers::training {

/// Names and the living tensors (contiguous, on the CPU): reading fills them in place.
using StateTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Throws IoError.
void write_state_tensors(const std::filesystem::path& path, const StateTensors& tensors);
/// Every tensor must be in the file with its dtype and shape, and no other. Throws IoError naming the file and tensor.
void read_state_tensors(const std::filesystem::path& path, const StateTensors& tensors);

}  // namespace memlayers::training
