// In what a model computes: asked for by name, decided by the processor.
#pragma once

#include <c10/core/ScalarType.h>

#include <array>
#include <string>
#include <utility>

namespace memlayers::model {

enum class ComputeDtype { kAuto, kFloat32, kBFloat16 };
constexpr auto enum_names(ComputeDtype) {
  return std::array{std::pair{ComputeDtype::kAuto, "auto"}, std::pair{ComputeDtype::kFloat32, "float32"},
                    std::pair{ComputeDtype::kBFloat16, "bfloat16"}};
}

/// kFloat or kBFloat16; auto is bfloat16 where this processor multiplies it natively.
at::ScalarType resolved_dtype(ComputeDtype dtype);
/// "float32" or "bfloat16", of the same.
std::string resolved_name(ComputeDtype dtype);

}  // namespace memlayers::model
