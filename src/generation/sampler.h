// One next token out of one row of logits.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "generation/engine.h"

namespace memlayers::generation {

/// Throws UsageError where an option is outside its range.
void check_sampling(const SamplingOptions& options);

/// The next id for `logits` [V]: the largest (lowest id among equals) at temperature 0; otherwise drawn from
/// softmax(logits / temperature) cut to the top_k most probable ids and then to the fewest of these that hold top_p
/// of the probability. Ids of equal logits rank by id. Takes one number from `stream` per draw, none when greedy.
int64_t sample(std::span<const float> logits, const SamplingOptions& options, base::RandomStream& stream);

}  // namespace memlayers::generation
