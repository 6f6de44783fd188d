// Requests to a model: token ids in, ids (generate) or nats (score) out. Batched, and each is answered as if it were
// alone: one that the model cannot compute has its problem said and leaves the others as they are.
#pragma once

#include "generation/engine.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

using Ids = std::vector<int64_t>;

/// What the tokenizer puts before a text, the beginning-of-document token as a rule, and the text's.
Ids prompt_ids(const text::Tokenizer& tokenizer, const std::string& text);
std::string text_of(const text::Tokenizer& tokenizer, const Ids& ids);

struct ScoreRequest {
  Ids prompt, continuation;
};
/// `continuation` after `prompt`, tokenized together: scored are all tokens after the longest beginning that the whole
/// shares with the prompt's own tokens.
ScoreRequest score_request(const text::Tokenizer& tokenizer, const std::string& prompt,
                           const std::string& continuation);
/// The same where `own`, the prompt's prompt_ids, are known.
ScoreRequest score_request(const text::Tokenizer& tokenizer, const std::string& prompt, const Ids& own,
                           const std::string& continuation);

struct Continued {
  Ids ids;              // without the prompt's
  std::string problem;  // why it was not continued; empty where it was
};
struct Scored {
  double nats = 0;               // minus log-probability of the continuation, summed over its tokens
  std::vector<double> by_token;  // what each of them adds
  std::string problem;           // why it was not scored; empty where it was
};

class Requests {
 public:
  explicit Requests(model::Transformer& model) : engine_(model) {}

  /// Continues every prompt, up to options.max_new_tokens or where the model's positions end. The calls back name
  /// prompts by their places in `prompts`. Throws UsageError: options out of range.
  std::vector<Continued> generate(const std::vector<Ids>& prompts, generation::SamplingOptions options,
                                  const std::function<void(int64_t, int64_t)>& on_token = {});
  std::vector<Scored> score(const std::vector<ScoreRequest>& requests);

 private:
  generation::Engine engine_;
};

}  // namespace memlayers::evaluation
