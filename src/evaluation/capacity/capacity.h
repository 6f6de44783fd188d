// How many bits of biographies a model holds, by the lower bound of Allen-Zhu and Li ("Physics of Language Models: Part
// 3.3", 2024, arXiv 2404.05405): from the losses of names and of values, nothing is sampled. docs/capacity.md derives
// it.
#pragma once

#include <functional>

#include "evaluation/capacity/capacity_passages.h"
#include "evaluation/capacity/stored_weights.h"
#include "results/capacity.h"

namespace memlayers::evaluation {

/// Nats of each passage's tail: minus the log-probability of its tokens, summed.
using TailNats = std::function<std::vector<double>(const std::vector<ScoredPassage>&)>;

struct CapacityOptions {
  int64_t limit = 0;  // score so many people, drawn always the same; 0: all
  results::StoredFormat tables = results::StoredFormat::kFloat32, weights = results::StoredFormat::kFloat32;
  std::string progress_title;  // empty: no progress shown
};

/// The bound for any source of probabilities. Each term is clipped at zero after its mean over people is taken, never
/// person by person: a confident wrong guess must cost what it costs. On SIGINT or SIGTERM (base::interrupted) the
/// numbers are those of the people scored so far, all zero for none. Throws UsageError: no people; Error: nats that are
/// not finite.
results::Capacity estimate_capacity(const data::Biographies& biographies, const text::Tokenizer& tokenizer,
                                    const TailNats& nats, const CapacityOptions& options);

/// The bound for a model, its weights rounded to `options.tables` and `options.weights` in
/// place, and its size as so stored. Throws UsageError: a name and sentence longer than the model's positions.
results::Capacity measure_capacity(model::Transformer& model, const text::Tokenizer& tokenizer,
                                   const data::Biographies& biographies, const CapacityOptions& options);

}  // namespace memlayers::evaluation
