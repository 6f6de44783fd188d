// Sizes a model so that it can be compared with another one fairly: as many parameters, or so many times its FLOPs.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "planning/count.h"

namespace memlayers::planning {

/// What is left to be found, by its key in a model's configuration.
enum class FreeSize { kExperts, kSubKeys, kNgramRows, kExpertWidth, kFeedForwardWidth, kHiddenSize, kBlocks };
constexpr auto enum_names(FreeSize) {
  return std::array{std::pair{FreeSize::kExperts, "experts.num_experts"},
                    std::pair{FreeSize::kSubKeys, "memory.num_sub_keys"},
                    std::pair{FreeSize::kNgramRows, "ngrams.rows"},
                    std::pair{FreeSize::kExpertWidth, "experts.intermediate_size"},
                    std::pair{FreeSize::kFeedForwardWidth, "intermediate_size"},
                    std::pair{FreeSize::kHiddenSize, "hidden_size"},
                    std::pair{FreeSize::kBlocks, "num_hidden_layers"}};
}

/// What is to be as large as the reference's.
enum class Matched { kParameters, kFlops };

struct MatchRule {
  FreeSize size = FreeSize::kHiddenSize;
  Matched matched = Matched::kParameters;
  double factor = 1;        // times the reference's: of training FLOPs a token, or of the total of parameters
  int64_t multiple_of = 0;  // the size is a multiple of this; 0: default_multiple's
  int64_t seq_len = 1;      // of both, for FLOPs
};

/// The size that says most about a model of this kind: experts, else sub-keys, else rows of n-gram tables; a dense
/// one's hidden_size. For FLOPs the width of its experts or feed-forwards, since tables and numbers of experts hardly
/// touch them. Throws base::UsageError where there are several.
FreeSize usual_size(const model::ModelConfig& config, Matched matched);

/// 2 for experts: the fewest experts, in pairs, are those the paper compares with (16, 8, 6, 4 in section 4.1; without
/// pairs they would be 16, 7, 5, 4). For hidden_size what keeps attention heads whole and as wide as they are. Else 1.
int64_t default_multiple(const model::ModelConfig& config, FreeSize size);

struct Match {
  model::ModelConfig config;     // with the size found
  int64_t given = 0, value = 0;  // the size before and now
  ModelCount count, reference;
  double target = 0;  // factor times the reference's
};

/// Experts for parameters: the fewest whose total exceeds the target (paper section 4.1). All else: the size that comes
/// nearest to it, of two equally near ones the smaller. hidden_size takes the number of attention heads along, and
/// intermediate_size by Llama's rule where it follows that now, else in proportion; it and num_hidden_layers are for
/// dense models. Throws base::UsageError: a size that the model lacks or that does not touch what is matched; a target
/// that no size comes up to.
Match match_model(const model::ModelConfig& config, const model::ModelConfig& reference, const MatchRule& rule);

/// How, in words: "fewest experts, a multiple of 2, whose total of parameters exceeds the reference's".
std::string match_in_words(const model::ModelConfig& config, const MatchRule& rule);

}  // namespace memlayers::planning
