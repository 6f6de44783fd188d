// Tensors in safetensors files: the one map of dtypes, single files, and a folder's model*.safetensors with its index.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/safetensors/safetensors.h"

namespace memlayers::model {

/// Names in files and the living tensors, on the CPU: reading fills them in place.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// What a tensor's numbers are called in a file, and the other way round. Throws UsageError for a dtype that files do
/// not know.
base::Dtype file_dtype(at::ScalarType dtype);
at::ScalarType tensor_dtype(base::Dtype dtype);

/// The first of `tensors` that holds NaN or an infinity, or nullptr. Reads each once and allocates nothing of its size.
const std::string* first_not_finite(const NamedTensors& tensors);

/// One file with these tensors. Throws IoError.
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors);
/// Fills them (contiguous): each must be in the file with its dtype and shape, and no other. Throws IoError naming file
/// and tensor.
void read_tensors(const std::filesystem::path& path, const NamedTensors& tensors);

/// model.safetensors in an existing folder, or above `max_shard_bytes` model-0000I-of-0000N.safetensors and their
/// index; what an earlier call left of the other form is removed. Throws IoError.
void write_weights(const std::filesystem::path& folder, const NamedTensors& tensors, uint64_t max_shard_bytes);

/// A folder's weights, mapped. Files are not trusted: the index names files of this folder only, each of them is there
/// and holds what the index says, and no tensor comes twice.
class WeightFiles {
 public:
  /// Throws IoError naming the file and the reason.
  explicit WeightFiles(const std::filesystem::path& folder);

  /// Name to tensor, over all files.
  const std::map<std::string, base::TensorView>& tensors() const { return tensors_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// Copies one into `target`, converting between floating dtypes. Throws IoError: absent, of another shape, or no
  /// floats.
  void fill(const std::string& name, at::Tensor target) const;

 private:
  void add_file(const std::string& name);

  std::filesystem::path folder_;
  std::map<std::string, base::SafetensorsFile> files_;
  std::map<std::string, base::TensorView> tensors_;
};

}  // namespace memlayers::model
