// Token ids in, token ids out: batched decoding with a key/value cache. Knows nothing of text or questions.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "model/frozen_transformer.h"

namespace memlayers::generation {

struct SamplingOptions {
  int64_t max_new_tokens = 64;
  double temperature = 0;  // 0: greedy (ties: lowest id)
  int64_t top_k = 0;       // 0: all
  double top_p = 1.0;
  uint64_t seed = 1;              // a sequence's draws depend on (seed, its index), not on its batch
  std::vector<int64_t> stop_ids;  // a sequence ends at any of these (not returned)
  /// Called with (sequence, its ids so far) after each id; true ends that sequence, its ids kept. May be empty.
  std::function<bool(int64_t, const std::vector<int64_t>&)> stop_when;
  /// Of the sequences, in draws and calls back, where some of a list are left out; empty: 0, 1, ...
  std::vector<int64_t> numbers;
  /// A sequence ends with the model's positions; else one that may need more is refused.
  bool end_with_positions = false;
};

class Engine {
 public:
  /// Freezes the model: it is to be asked before it is trained on, else what asks throws UsageError.
  explicit Engine(const model::Transformer& model) : model_(model.freeze()) {}

  /// Continues every prompt. Prompts of equal length share batches, so no padding enters the computation and a batch of
  /// one equals a row of a batch. `on_token(sequence, id)` is called as ids come (streaming). Throws UsageError: an
  /// empty prompt, an id outside the vocabulary, a length above max_position_embeddings.
  std::vector<std::vector<int64_t>> generate(const std::vector<std::vector<int64_t>>& prompts,
                                             const SamplingOptions& options,
                                             const std::function<void(int64_t, int64_t)>& on_token = {});

  /// Log-probability (nats) of each token of `continuations[i]` after `prompts[i]`, in float32 log-softmax.
  std::vector<std::vector<double>> token_log_probabilities(const std::vector<std::vector<int64_t>>& prompts,
                                                           const std::vector<std::vector<int64_t>>& continuations);
  /// Their sums.
  std::vector<double> log_likelihood(const std::vector<std::vector<int64_t>>& prompts,
                                     const std::vector<std::vector<int64_t>>& continuations);

  /// Why `prompt` and `more` tokens after it cannot be computed ("needs 312 positions, ..."); nothing when they can.
  std::optional<std::string> problem_of(const std::vector<int64_t>& prompt, int64_t more) const;
  const model::FrozenTransformer& model() const { return model_; }

 private:
  model::FrozenTransformer model_;
};

}  // namespace memlayers::generation
