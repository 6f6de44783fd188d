// Closed-book questions: exact match, F1 and nats per answer, by relation and by wording (seen, unseen).
#pragma once

#include <map>

#include "data/question.h"
#include "data/tokenizer.h"
#include "generation/engine.h"

namespace memlayers::evaluation {

struct Answer {
  int64_t id = 0;
  std::string text;       // what the model said, up to the end of the first sentence or line
  bool exact_match = false;
  double f1 = 0;          // best over accepted answers, on normalised words
  double nats = 0;        // minus log-probability of the best accepted answer, summed over its tokens (end included)
};

struct Score {
  int64_t questions = 0;
  double exact_match = 0, f1 = 0, nats = 0;  // means
};

struct Scores {
  Score seen, unseen;                                   // by wording, all relations
  std::map<std::string, Score> unseen_by_relation, seen_by_relation;
};

struct AskOptions {
  int64_t max_new_tokens = 24;
  int64_t limit = 0;                       // ask only so many, chosen evenly over the list; 0: all
  std::filesystem::path resume_file;       // answers are appended here as they come and not asked again; empty: no file
  std::string progress_title;              // empty: no progress shown
};

std::vector<Answer> ask(model::Transformer& model, const data::Tokenizer& tokenizer,
                        const std::vector<data::Question>& questions, const AskOptions& options);
Scores score(const std::vector<data::Question>& questions, const std::vector<Answer>& answers);

/// SQuAD's rule: lower case, no punctuation, no articles, single spaces.
std::string normalise_answer(const std::string& text);
double f1_score(const std::string& prediction, const std::string& truth);

}  // namespace memlayers::evaluation
