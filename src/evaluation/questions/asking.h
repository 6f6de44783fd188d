// Closed-book questions: exact match, F1 and nats per answer, by relation and by wording (seen, unseen).
#pragma once

#include <map>

#include "data/question.h"
#include "generation/engine.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

struct Answer {
  int64_t id = 0;
  std::string text;  // what the model said, up to the end of the first sentence or line
  bool exact_match = false;
  double f1 = 0;    // best over accepted answers, on normalised words
  double nats = 0;  // minus log-probability of the best accepted answer, summed over its tokens (end included)
};

struct Score {
  int64_t questions = 0;
  double exact_match = 0, f1 = 0, nats = 0;  // means
};

struct Scores {
  Score seen, unseen;  // by wording, all relations
  std::map<std::string, Score> unseen_by_relation, seen_by_relation;
};

struct AskOptions {
  int64_t max_new_tokens = 24;
  int64_t limit = 0;                  // ask only so many, chosen evenly over the list; 0: all
  std::filesystem::path resume_file;  // answers are appended here as they come and not asked again; empty: no file
  std::string progress_title;         // empty: no progress shown
};

/// Greedy answers and the nats of the true ones, in the order of the questions asked. Continuations are tokenised together
/// with their prompt: scored are all tokens of "PROMPT ANSWER." after the longest prefix it shares with the prompt's own
/// tokens. On SIGINT or SIGTERM (base::interrupted) what is
/// answered so far is returned. Throws UsageError: two questions with one id, an unanswerable length, a resume file of
/// another model or other questions; IoError: the resume file.
std::vector<Answer> ask(model::Transformer& model, const text::Tokenizer& tokenizer,
                        const std::vector<data::Question>& questions, const AskOptions& options);
/// Means over the questions that have an answer (matched by id).
Scores score(const std::vector<data::Question>& questions, const std::vector<Answer>& answers);

/// SQuAD's rule: lower case, no ASCII punctuation, no articles, single spaces. Unlike SQuAD, what consists of nothing else
/// ("AN", a country's code; "+") keeps it, so that no two such answers are taken for equal.
std::string normalise_answer(const std::string& text);
/// Harmonic mean of precision and recall of the normalised words, each counted as often as it occurs.
double f1_score(const std::string& prediction, const std::string& truth);

}  // namespace memlayers::evaluation
