// Runs a model over texts and hands on every read of its tables with the token that made it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/transformer.h"

namespace memlayers::evaluation {

/// Tokens that are read as one sequence.
struct Passage {
  int64_t owner = 0;         // what it is a part of: a document, a question
  std::vector<int64_t> ids;  // 1 to max_position_embeddings
};

/// One token's bag in one layer.
struct TokenRead {
  int64_t table = 0, layer = 0;       // table: among tables_with_values()
  int64_t passage = 0, position = 0;  // passage: index into what was swept
  std::span<const int64_t> slots;     // [H*k], head after head
  std::span<const double> weights;    // [H*k]; the k of a head sum to 1
};

/// The tables whose rows a bag sums, in the model's order: all, but of PEER's pairs only the second.
std::vector<model::Transformer::NamedTable> tables_with_values(const model::Transformer& model);

/// Reads all passages in batches of about `batch_tokens`, without gradients, and calls `visit` for each token of each
/// memory layer; who else listens to the tables is told as well. `swept(tokens so far)` is called after every
/// batch. Returns which passages were read: all, or those before base::interrupted().
std::vector<bool> sweep_reads(model::Transformer& model, const std::vector<Passage>& passages, int64_t batch_tokens,
                              const std::function<void(const TokenRead&)>& visit,
                              const std::function<void(int64_t)>& swept = {});

}  // namespace memlayers::evaluation
