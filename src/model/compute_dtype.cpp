#include "model/compute_dtype.h"

#include "base/cpu.h"

namespace memlayers::model {

at::ScalarType resolved_dtype(ComputeDtype dtype) {
  const bool bfloat16 = dtype == ComputeDtype::kAuto ? base::has_native_bfloat16() : dtype == ComputeDtype::kBFloat16;
  return bfloat16 ? at::kBFloat16 : at::kFloat;
}

std::string resolved_name(ComputeDtype dtype) { return resolved_dtype(dtype) == at::kFloat ? "float32" : "bfloat16"; }

}  // namespace memlayers::model
