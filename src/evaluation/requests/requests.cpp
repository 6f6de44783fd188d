#include "evaluation/requests/requests.h"

#include <algorithm>
#include <numeric>

namespace memlayers::evaluation {

Ids prompt_ids(const text::Tokenizer& tokenizer, const std::string& text) {
  Ids ids;
  for (const int32_t id : tokenizer.before_text()) ids.push_back(id);
  for (const int32_t id : tokenizer.encode(text)) ids.push_back(id);
  return ids;
}

std::string text_of(const text::Tokenizer& tokenizer, const Ids& ids) {
  return tokenizer.decode(std::vector<int32_t>(ids.begin(), ids.end()));
}

ScoreRequest score_request(const text::Tokenizer& tokenizer, const std::string& prompt,
                           const std::string& continuation) {
  return score_request(tokenizer, prompt, prompt_ids(tokenizer, prompt), continuation);
}

ScoreRequest score_request(const text::Tokenizer& tokenizer, const std::string& prompt, const Ids& own,
                           const std::string& continuation) {
  const Ids whole = prompt_ids(tokenizer, prompt + continuation);
  const auto cut = std::mismatch(whole.begin(), whole.end(), own.begin(), own.end()).first;
  return {{whole.begin(), cut}, {cut, whole.end()}};
}

std::vector<Continued> Requests::generate(const std::vector<Ids>& prompts, generation::SamplingOptions options,
                                          const std::function<void(int64_t, int64_t)>& on_token) {
  std::vector<Continued> replies(prompts.size());
  std::vector<Ids> sound;
  options.end_with_positions = true;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (const auto problem = engine_.problem_of(prompts[i], std::min<int64_t>(options.max_new_tokens, 1))) {
      replies[i].problem = *problem;
    } else {
      sound.push_back(prompts[i]);
      options.numbers.push_back(static_cast<int64_t>(i));
    }
  }
  std::vector<Ids> said = engine_.generate(sound, options, on_token);
  for (size_t i = 0; i < said.size(); ++i) replies[static_cast<size_t>(options.numbers[i])].ids = std::move(said[i]);
  return replies;
}

std::vector<Scored> Requests::score(const std::vector<ScoreRequest>& requests) {
  std::vector<Scored> replies(requests.size());
  std::vector<Ids> prompts, continuations;
  std::vector<size_t> places;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto& [prompt, continuation] = requests[i];
    if (const auto problem = engine_.problem_of(prompt, static_cast<int64_t>(continuation.size()))) {
      replies[i].problem = *problem;
    } else {
      prompts.push_back(prompt);
      continuations.push_back(continuation);
      places.push_back(i);
    }
  }
  const std::vector<std::vector<double>> scores = engine_.token_log_probabilities(prompts, continuations);
  for (size_t i = 0; i < places.size(); ++i) {
    Scored& reply = replies[places[i]];
    reply.nats = -std::accumulate(scores[i].begin(), scores[i].end(), 0.0);
    for (const double score : scores[i]) reply.by_token.push_back(-score);
  }
  return replies;
}

}  // namespace memlayers::evaluation
