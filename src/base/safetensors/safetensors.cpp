#include "base/safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/safetensors/safetensors_header.h"

namespace memlayers::base {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

constexpr uint64_t kLengthBytes = 8;

/// Sorts into the file's order and gives each tensor its place.
std::vector<SafetensorsEntry> place_tensors(const fs::path& path, std::vector<NamedTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    const size_t a_bytes = dtype_bytes(a.view.dtype), b_bytes = dtype_bytes(b.view.dtype);
    return a_bytes != b_bytes ? a_bytes > b_bytes : a.name < b.name;
  });
  std::vector<SafetensorsEntry> entries;
  std::set<std::string> names;
  uint64_t filled = 0;
  for (const NamedTensor& tensor : tensors) {
    const std::string who = "write_safetensors " + path.string() + ": tensor " + shown_name(tensor.name);
    check(tensor.name != "__metadata__", who, ": this name is the container's own");
    check(names.insert(tensor.name).second, who, ": given twice");
    const std::optional<uint64_t> bytes = tensor_bytes(tensor.view.dtype, tensor.view.shape);
    check(bytes.has_value() && *bytes == tensor.view.bytes.size(), who, ": dtype and shape need ",
          bytes ? std::to_string(*bytes) : std::string("impossibly many"), " bytes, got ", tensor.view.bytes.size());
    entries.push_back({tensor.name, tensor.view.dtype, tensor.view.shape, filled, filled + *bytes});
    filled += *bytes;
  }
  return entries;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const fs::path& path) : path_(path), file_(std::in_place, path) {
  parse(file_->bytes());
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, const std::string& origin) : path_(origin) {
  parse(bytes);
}

void SafetensorsFile::parse(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    throw IoError(path_, concat("truncated: ", bytes.size(), " bytes, not even a header length"));
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes > kMaxSafetensorsHeader) {
    throw IoError(path_, concat("no safetensors file: header of ", header_bytes, " bytes, at most ",
                                kMaxSafetensorsHeader, " are allowed"));
  }
  const uint64_t rest = bytes.size() - kLengthBytes;
  if (header_bytes > rest) {
    throw IoError(path_, concat("truncated: header of ", header_bytes, " bytes, but ", rest, " follow its length"));
  }
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes);
  SafetensorsHeader header = parse_safetensors_header(json, path_);
  const std::span<const std::byte> buffer = bytes.subspan(kLengthBytes + header_bytes);
  check_safetensors_layout(header, buffer.size(), path_);
  metadata_ = std::move(header.metadata);
  for (SafetensorsEntry& entry : header.entries) {
    tensors_.emplace(std::move(entry.name), TensorView{entry.dtype, std::move(entry.shape),
                                                       buffer.subspan(entry.begin, entry.end - entry.begin)});
  }
}

const TensorView& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw IoError(path_, "holds no tensor " + shown_name(name));
  return found->second;
}

void write_safetensors(const fs::path& path, std::vector<NamedTensor> tensors,
                       std::map<std::string, std::string> metadata) {
  metadata["format"] = "pt";
  const std::vector<SafetensorsEntry> entries = place_tensors(path, tensors);
  const std::string header = safetensors_header_text(entries, metadata);
  const uint64_t header_bytes = header.size();
  check(header_bytes <= kMaxSafetensorsHeader, "write_safetensors ", path.string(), ": names and metadata take ",
        header_bytes, " bytes, at most ", kMaxSafetensorsHeader, " can be read back");
  AtomicFile file(path);
  file.write(&header_bytes, kLengthBytes);
  file.write(header);
  for (const NamedTensor& tensor : tensors) file.write(tensor.view.bytes.data(), tensor.view.bytes.size());
  file.commit();
}

}  // namespace memlayers::base
