// The safetensors container: 8 bytes little-endian header length, JSON header, tensor bytes.
//
// This reader trusts nothing: sizes are multiplied with overflow checks, tensors must tile the buffer without hole
// or overlap, and a damaged file is refused with its name and the reason. Tensors are views into the memory map.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"

namespace memlayers::base {

enum class Dtype { kBool, kU8, kI8, kI16, kU16, kI32, kU32, kI64, kU64, kF16, kBF16, kF32, kF64 };

size_t dtype_bytes(Dtype dtype);
/// The container's own spelling: "F32", "BF16", ...
std::string dtype_name(Dtype dtype);

struct TensorView {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

class SafetensorsFile {
 public:
  /// Throws IoError with path and reason.
  explicit SafetensorsFile(const fs::path& path);
  /// Over bytes already in memory (fuzzing, tests); `origin` stands for the path in messages.
  SafetensorsFile(std::span<const std::byte> bytes, const std::string& origin);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Throws IoError naming the file and the tensor when it is absent.
  const TensorView& tensor(const std::string& name) const;
  const fs::path& path() const { return path_; }

 private:
  void parse(std::span<const std::byte> bytes);

  fs::path path_;
  std::optional<MappedFile> file_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct NamedTensor {
  std::string name;
  TensorView view;
};

/// Writes atomically. Tensors are ordered by falling dtype size, then by name, so that each is naturally aligned;
/// `metadata` always gains {"format": "pt"}.
void write_safetensors(const fs::path& path, std::vector<NamedTensor> tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace memlayers::base
