#include "generation/engine.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "generation/sampler.h"

namespace memlayers::generation {
namespace {

constexpr size_t kMaxRows = 256;         // sequences of one forward
constexpr int64_t kMaxLogits = 1 << 24;  // float32 logits alive at once when scoring: 64 MB

using Ids = std::vector<int64_t>;

std::optional<std::string> problem_of_ids(const Ids& ids, const model::ModelConfig& config) {
  for (int64_t id : ids) {
    if (id >= 0 && id < config.vocab_size) continue;
    return base::concat("token id ", id, " is outside of the vocabulary of ", config.vocab_size);
  }
  return std::nullopt;
}

void check_sound(const char* what, size_t index, const std::optional<std::string>& problem) {
  base::check(!problem, what, " ", index, ": ", problem.value_or(""));
}

/// Sequence indices in batches: equal lengths together, in the order of their indices, at most kMaxRows each.
template <class LengthOf>
std::vector<std::vector<size_t>> equal_length_batches(size_t count, const LengthOf& length_of) {
  std::map<size_t, std::vector<size_t>> by_length;
  for (size_t i = 0; i < count; ++i) by_length[length_of(i)].push_back(i);
  std::vector<std::vector<size_t>> batches;
  for (const auto& [length, members] : by_length) {
    for (size_t begin = 0; begin < members.size(); begin += kMaxRows) {
      const size_t end = std::min(begin + kMaxRows, members.size());
      batches.emplace_back(members.begin() + static_cast<std::ptrdiff_t>(begin),
                           members.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  return batches;
}

/// Decodes one batch of prompts of equal length.
class BatchDecoder {
 public:
  BatchDecoder(const model::FrozenTransformer& model, const SamplingOptions& options,
               const std::function<void(int64_t, int64_t)>& on_token)
      : model_(model), options_(options), on_token_(on_token) {}

  void run(const std::vector<Ids>& prompts, const std::vector<size_t>& members, std::vector<Ids>& outputs) {
    std::vector<base::RandomStream> streams;
    for (size_t member : members)
      streams.emplace_back(options_.seed, "generation", static_cast<uint64_t>(number(member)));
    std::vector<size_t> alive(members.size());  // row of the batch -> place in members
    for (size_t i = 0; i < alive.size(); ++i) alive[i] = i;

    const auto length = static_cast<int64_t>(prompts[members[0]].size());
    at::Tensor tokens = at::empty({static_cast<int64_t>(members.size()), length}, at::kLong);
    for (size_t i = 0; i < members.size(); ++i) {
      std::copy(prompts[members[i]].begin(), prompts[members[i]].end(), tokens.data_ptr<int64_t>() + i * length);
    }
    layers::KeyValueCache cache;
    const int64_t steps = std::min(options_.max_new_tokens, model_.config().max_position_embeddings - length);
    for (int64_t step = 0; step < steps && !alive.empty(); ++step) {
      const at::Tensor last = model_.hidden(tokens, &cache).select(1, -1);
      const at::Tensor logits = model_.head(last).to(at::kFloat).contiguous();
      Ids next;
      std::vector<int64_t> kept;
      choose(logits, members, alive, streams, outputs, next, kept);
      if (kept.size() < alive.size()) drop_finished(alive, kept, cache);
      tokens = at::tensor(next, at::kLong).view({-1, 1});
    }
  }

 private:
  int64_t number(size_t sequence) const {
    return options_.numbers.empty() ? static_cast<int64_t>(sequence) : options_.numbers[sequence];
  }

  /// Takes one id per row of `logits`; rows that go on are listed in `kept`, their ids in `next`.
  void choose(const at::Tensor& logits, const std::vector<size_t>& members, const std::vector<size_t>& alive,
              std::vector<base::RandomStream>& streams, std::vector<Ids>& outputs, Ids& next,
              std::vector<int64_t>& kept) const {
    const auto vocab = static_cast<size_t>(logits.size(-1));
    for (size_t row = 0; row < alive.size(); ++row) {
      const size_t place = alive[row];
      const int64_t id = sample({logits.data_ptr<float>() + row * vocab, vocab}, options_, streams[place]);
      if (std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) != options_.stop_ids.end()) continue;
      const size_t sequence = members[place];
      outputs[sequence].push_back(id);
      if (on_token_) on_token_(number(sequence), id);
      if (options_.stop_when && options_.stop_when(number(sequence), outputs[sequence])) continue;
      kept.push_back(static_cast<int64_t>(row));
      next.push_back(id);
    }
  }

  /// Rows that ended leave the batch and its cache, so that they cost nothing more.
  static void drop_finished(std::vector<size_t>& alive, const std::vector<int64_t>& kept,
                            layers::KeyValueCache& cache) {
    std::vector<size_t> left;
    for (int64_t row : kept) left.push_back(alive[static_cast<size_t>(row)]);
    alive = std::move(left);
    if (alive.empty()) return;
    keep_rows(cache, at::tensor(kept, at::kLong));
  }

  const model::FrozenTransformer& model_;
  const SamplingOptions& options_;
  const std::function<void(int64_t, int64_t)>& on_token_;
};

/// Log-probabilities of `targets` [R] given hidden states [R, d], a slice of rows at a time.
at::Tensor target_log_probabilities(const model::FrozenTransformer& model, const at::Tensor& hidden,
                                    const at::Tensor& targets) {
  const int64_t rows = hidden.size(0), slice = std::max<int64_t>(1, kMaxLogits / model.config().vocab_size);
  at::Tensor result = at::empty({rows}, at::kFloat);
  for (int64_t begin = 0; begin < rows; begin += slice) {
    const int64_t end = std::min(rows, begin + slice);
    const at::Tensor logits = model.head(hidden.slice(0, begin, end)).to(at::kFloat);
    const at::Tensor picked = at::log_softmax(logits, -1).gather(-1, targets.slice(0, begin, end).unsqueeze(-1));
    result.slice(0, begin, end).copy_(picked.squeeze(-1));
  }
  return result;
}

}  // namespace

std::optional<std::string> Engine::problem_of(const Ids& prompt, int64_t more) const {
  if (prompt.empty()) return "is empty: at least one token is needed (begin of document, say)";
  const int64_t length = static_cast<int64_t>(prompt.size()) + more, most = model_.config().max_position_embeddings;
  if (length > most) {
    return base::concat("needs ", length, " positions, the model has ", most,
                        " (max_position_embeddings); shorten it or ask for fewer new tokens");
  }
  return problem_of_ids(prompt, model_.config());
}

std::vector<Ids> Engine::generate(const std::vector<Ids>& prompts, const SamplingOptions& options,
                                  const std::function<void(int64_t, int64_t)>& on_token) {
  check_sampling(options);
  base::check(options.numbers.empty() || options.numbers.size() == prompts.size(), "generate: ", prompts.size(),
              " prompts, but ", options.numbers.size(), " numbers for them");
  const int64_t more =
      options.end_with_positions ? std::min<int64_t>(options.max_new_tokens, 1) : options.max_new_tokens;
  for (size_t i = 0; i < prompts.size(); ++i) check_sound("prompt", i, problem_of(prompts[i], more));
  const at::NoGradGuard no_grad;
  std::vector<Ids> outputs(prompts.size());
  BatchDecoder decoder(model_, options, on_token);
  for (const auto& members : equal_length_batches(prompts.size(), [&](size_t i) { return prompts[i].size(); })) {
    decoder.run(prompts, members, outputs);
  }
  return outputs;
}

std::vector<double> Engine::log_likelihood(const std::vector<Ids>& prompts, const std::vector<Ids>& continuations) {
  std::vector<double> sums;
  for (const std::vector<double>& tokens : token_log_probabilities(prompts, continuations))
    sums.push_back(std::accumulate(tokens.begin(), tokens.end(), 0.0));
  return sums;
}

std::vector<std::vector<double>> Engine::token_log_probabilities(const std::vector<Ids>& prompts,
                                                                 const std::vector<Ids>& continuations) {
  base::check(prompts.size() == continuations.size(), "log_likelihood: ", prompts.size(), " prompts for ",
              continuations.size(), " continuations");
  for (size_t i = 0; i < prompts.size(); ++i) {
    check_sound("prompt", i, problem_of(prompts[i], static_cast<int64_t>(continuations[i].size())));
    check_sound("continuation", i, problem_of_ids(continuations[i], model_.config()));
  }
  const at::NoGradGuard no_grad;
  std::vector<std::vector<double>> result(prompts.size());
  const auto total = [&](size_t i) { return prompts[i].size() + continuations[i].size(); };
  for (const auto& members : equal_length_batches(prompts.size(), total)) {
    const auto rows = static_cast<int64_t>(members.size());
    const auto length = static_cast<int64_t>(total(members[0])) - 1;  // the last token is only a target
    if (length == 0) continue;
    at::Tensor tokens = at::empty({rows, length}, at::kLong);
    Ids places, targets;  // rows of the flattened hidden states that are scored, and the tokens that follow them
    for (int64_t row = 0; row < rows; ++row) {
      const Ids& prompt = prompts[members[row]];
      const Ids& continuation = continuations[members[row]];
      Ids line = prompt;
      line.insert(line.end(), continuation.begin(), continuation.end());
      std::copy(line.begin(), line.end() - 1, tokens.data_ptr<int64_t>() + row * length);
      for (size_t j = 0; j < continuation.size(); ++j) {
        places.push_back(row * length + static_cast<int64_t>(prompt.size() + j) - 1);
        targets.push_back(continuation[j]);
      }
    }
    if (places.empty()) continue;
    const at::Tensor hidden = model_.hidden(tokens).flatten(0, 1).index_select(0, at::tensor(places, at::kLong));
    const at::Tensor scores = target_log_probabilities(model_, hidden, at::tensor(targets, at::kLong));
    const float* score = scores.data_ptr<float>();
    for (size_t member : members) {
      const size_t count = continuations[member].size();
      result[member].assign(score, score + count);
      score += count;
    }
  }
  return result;
}

}  // namespace memlayers::generation
