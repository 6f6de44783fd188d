// The options of a mixture of experts. Letters as in docs/notation.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/config.h"

namespace memlayers::layers {

enum class ExpertRouting { kExpertChoice, kTokenChoice };
constexpr auto enum_names(ExpertRouting) {
  return std::array{std::pair{ExpertRouting::kExpertChoice, "expert_choice"},
                    std::pair{ExpertRouting::kTokenChoice, "token_choice"}};
}

struct ExpertConfig {
  base::IndexList layers;
  int64_t num_experts = 8;
  int64_t top_k = 1;
  double capacity_factor = 1;
  ExpertRouting routing = ExpertRouting::kExpertChoice;
  double balance_loss = 0;
  int64_t intermediate_size = 0;  // 0: the model's

  static constexpr auto fields() {
    using base::field;
    using C = ExpertConfig;
    return std::tuple{
        field("layers", &C::layers, "blocks with experts in place of the feed-forward, 0-based, or all; empty: none"),
        field("num_experts", &C::num_experts, "E, experts of a block"),
        field("top_k", &C::top_k, "experts a token chooses; expert_choice: that many a token on average in training"),
        field("capacity_factor", &C::capacity_factor,
              "in training an expert takes at most ceil(factor * N * top_k / E) tokens; token_choice: 0 for no limit"),
        field("routing", &C::routing,
              "expert_choice (an expert takes its best tokens; evaluated: a token its best expert) or token_choice"),
        field("balance_loss", &C::balance_loss, "token_choice: weight of the load-balancing loss in training"),
        field("intermediate_size", &C::intermediate_size, "hidden width of one expert; 0: the feed-forward's"),
    };
  }
};

}  // namespace memlayers::layers
