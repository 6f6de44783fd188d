// Rotary frequencies of models that were stretched to longer texts than they were first trained on.
#pragma once

#include <array>
#include <cstdint>
#include <tuple>
#include <utility>

#include "base/config.h"

namespace memlayers::layers {

/// default: as they are. linear: all divided by `factor` (Chen et al. 2023). llama3: those of long waves divided, those
/// of short ones kept, and between them a mean of both (Llama 3.1).
enum class RopeType { kDefault, kLinear, kLlama3 };
constexpr auto enum_names(RopeType) {
  return std::array{std::pair{RopeType::kDefault, "default"}, std::pair{RopeType::kLinear, "linear"},
                    std::pair{RopeType::kLlama3, "llama3"}};
}

struct RopeScaling {
  RopeType rope_type = RopeType::kDefault;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;
  int64_t original_max_position_embeddings = 8192;

  static constexpr auto fields() {
    using base::field;
    using C = RopeScaling;
    return std::tuple{
        field("rope_type", &C::rope_type, "default (none), linear or llama3"),
        field("factor", &C::factor, "what frequencies are divided by"),
        field("low_freq_factor", &C::low_freq_factor,
              "llama3: waves longer than the original length over this are stretched"),
        field("high_freq_factor", &C::high_freq_factor,
              "llama3: waves shorter than the original length over this stay"),
        field("original_max_position_embeddings", &C::original_max_position_embeddings,
              "llama3: positions before the stretching"),
    };
  }
};

}  // namespace memlayers::layers
