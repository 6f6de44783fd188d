// Closed-book questions: exact match, F1 and nats per answer, by relation and by wording (seen, unseen).
#pragma once

#include <map>

#include "data/question.h"
#include "generation/engine.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

struct Answer {
  int64_t id = 0;
  std::string text;  // what the model said, up to the answer's end (answer_text.h)
  bool exact_match = false;
  double f1 = 0;    // best over accepted answers, on normalized words
  double nats = 0;  // minus log-probability of the best accepted answer, summed over its tokens (end included)
  /// What each of those tokens adds, to four decimals; empty in files of before it was kept.
  std::vector<double> nats_by_token = {};
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
  int64_t max_new_tokens = 24;        // of an answer; one on the way to a longer accepted answer goes on to its end
  int64_t limit = 0;                  // ask only so many, chosen evenly over the list; 0: all
  std::filesystem::path resume_file;  // answers are appended here as they come and not asked again; empty: no file
  std::string progress_title;         // empty: no progress shown
  std::string dtype = "float32";      // in which the model computes; kept answers of another one are refused
};

struct Asked {
  std::vector<Answer> answers;        // in the order of the questions asked
  std::vector<std::string> problems;  // "line 21: question 9000: needs 312 positions, ...": what could not be asked
  bool interrupted = false;           // not all were asked
};

/// What the model is asked: white space at the prompt's end belongs to the answer's side.
std::string asked_prompt(const data::Question& question);

/// Greedy answers and the nats of the true ones. The answer follows asked_prompt() after one space.
/// Continuations are tokenized together with their prompt: scored are all tokens of "PROMPT ANSWER." after the longest
/// prefix it shares with the prompt's own tokens. A question whose prompt is empty or whose accepted answers do not fit
/// the model's positions is left out, said in `problems`, and changes nothing for the others. The model is frozen
/// first, as it is. On SIGINT or SIGTERM (base::interrupted) what is answered so far is returned.
/// Throws UsageError: two questions with one id, one without answers, a resume file of another model or other
/// questions; IoError: the resume file.
Asked ask(model::Transformer& model, const text::Tokenizer& tokenizer, const std::vector<data::Question>& questions,
          const AskOptions& options);
/// Means over the questions that have an answer (matched by id).
Scores score(const std::vector<data::Question>& questions, const std::vector<Answer>& answers);

}  // namespace memlayers::evaluation
