#include "training/state_tensors.h"

#include <cstring>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/safetensors.h"

namespace memlayers::training {
namespace {

base::Dtype dtype_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kBool:
      return base::Dtype::kBool;
    case at::kInt:
      return base::Dtype::kI32;
    case at::kLong:
      return base::Dtype::kI64;
    case at::kBFloat16:
      return base::Dtype::kBF16;
    case at::kFloat:
      return base::Dtype::kF32;
    case at::kDouble:
      return base::Dtype::kF64;
    default:
      break;
  }
  assert(false && "training state of another dtype");
  return base::Dtype::kF32;
}

}  // namespace

void write_state_tensors(const std::filesystem::path& path, const StateTensors& tensors) {
  std::vector<base::NamedTensor> views;
  for (const auto& [name, tensor] : tensors) {
    assert(tensor.is_contiguous() && tensor.is_cpu());
    views.push_back({name,
                     {dtype_of(tensor),
                      tensor.sizes().vec(),
                      {static_cast<const std::byte*>(tensor.const_data_ptr()), size_t(tensor.nbytes())}}});
  }
  base::write_safetensors(path, std::move(views));
}

void read_state_tensors(const std::filesystem::path& path, const StateTensors& tensors) {
  const base::SafetensorsFile file(path);
  if (file.tensors().size() != tensors.size()) {
    throw base::IoError(path, base::concat("holds ", file.tensors().size(), " tensors where ", tensors.size(),
                                           " are expected: it belongs to another model or optimizer"));
  }
  for (const auto& [name, tensor] : tensors) {
    const base::TensorView& view = file.tensor(name);
    if (view.dtype != dtype_of(tensor) || view.shape != tensor.sizes().vec()) {
      throw base::IoError(path, base::concat("tensor ", name, " has another shape or dtype than this run's"));
    }
    assert(tensor.is_contiguous() && view.bytes.size() == size_t(tensor.nbytes()));
    if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  }
}

}  // namespace memlayers::training
