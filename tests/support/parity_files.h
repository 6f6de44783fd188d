// The golden tensors of the paper's implementation: tests/golden, or the folder that MEMLAYERS_PARITY_DIR names.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/safetensors/safetensors.h"

namespace memlayers::tests {

inline std::filesystem::path parity_folder() {
  const char* chosen = std::getenv("MEMLAYERS_PARITY_DIR");
  return chosen ? std::filesystem::path(chosen) : std::filesystem::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden";
}

/// The files STEM*.safetensors of the folder, sorted; each is one case.
inline std::vector<std::filesystem::path> parity_files(const std::string& stem) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(parity_folder())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(stem) && name.ends_with(".safetensors")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ParityCase {
 public:
  explicit ParityCase(const std::filesystem::path& path)
      : file_(path), config_(nlohmann::json::parse(file_.metadata().at("config"))) {}

  const nlohmann::json& config() const { return config_; }
  bool contains(const std::string& name) const { return file_.contains(name); }
  /// A copy, float32 or int64.
  at::Tensor tensor(const std::string& name) const {
    const base::TensorView& view = file_.tensor(name);
    const at::ScalarType dtype = view.dtype == base::Dtype::kI64 ? at::kLong : at::kFloat;
    EXPECT_TRUE(view.dtype == base::Dtype::kI64 || view.dtype == base::Dtype::kF32) << name;
    return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions(dtype)).clone();
  }
  /// Names that begin with `prefix`, without it.
  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const auto& [name, view] : file_.tensors()) {
      if (name.starts_with(prefix)) found.push_back(name.substr(prefix.size()));
    }
    return found;
  }

 private:
  base::SafetensorsFile file_;
  nlohmann::json config_;
};

/// Largest |a - b|, and where all of b is below 1, that over b's largest entry. Shapes must agree.
inline double largest_error(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const at::Tensor x = a.detach().to(at::kDouble), y = b.detach().to(at::kDouble);
  const double largest = y.abs().max().item<double>(), error = (x - y).abs().max().item<double>();
  return error == 0 ? 0 : error / std::min(1.0, largest);
}

}  // namespace memlayers::tests
