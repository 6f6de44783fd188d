#include "evaluation/questions/asking.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/random.h"
#include "base/utf8.h"
#include "evaluation/questions/answer_file.h"
#include "evaluation/questions/answer_text.h"
#include "evaluation/requests/reply_file.h"
#include "evaluation/requests/requests.h"

namespace memlayers::evaluation {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kRule = 2;        // of where an answer ends; 1 was the first full stop
constexpr size_t kChunk = 512;  // questions between two writes to the resume file

/// A number that tells models apart: all weights, of a table its first rows.
std::string fingerprint(const model::Transformer& model) {
  uint64_t hash = base::hash_bytes("model", 5);
  const auto add = [&](const at::Tensor& tensor, int64_t most_bytes) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    hash = base::hash_bytes(bytes.data_ptr(), static_cast<size_t>(std::min<int64_t>(bytes.nbytes(), most_bytes)), hash);
  };
  for (const layers::Parameter& parameter : model.parameters())
    add(*parameter.tensor, std::numeric_limits<int64_t>::max());
  for (const auto& [name, table] : model.tables()) {
    add(table->range(0, std::min<int64_t>(table->rows(), 1 << 14)), std::numeric_limits<int64_t>::max());
  }
  return base::hash_text(hash);
}

/// What is asked: indices into the questions, one out of each of `limit` equal parts of the list. Which one is drawn,
/// always the same: a fixed stride would fall in step with the wordings of a fact, which take turns in the list.
std::vector<size_t> chosen(size_t questions, int64_t limit) {
  const size_t count = limit > 0 ? std::min(questions, static_cast<size_t>(limit)) : questions;
  base::RandomStream stream(1, "questions asked");
  std::vector<size_t> indices(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = i * questions / count, end = (i + 1) * questions / count;
    indices[i] = begin + stream.below(end - begin);
  }
  return indices;
}

std::string name_of(const data::Question& question) {
  const std::string id = base::concat("question ", question.id);
  return question.line > 0 ? base::concat("line ", question.line, ": ", id) : id;
}

std::vector<double> to_four_decimals(std::vector<double> values) {
  for (double& value : values) value = std::round(value * 1e4) / 1e4;
  return values;
}

/// An answer, or why the question could not be asked.
struct Reply {
  Answer answer;
  std::string problem;
};

/// Asks one chunk of questions after the other.
class Asker {
 public:
  Asker(model::Transformer& model, const text::Tokenizer& tokenizer, const AskOptions& options)
      : requests_(model), tokenizer_(tokenizer), max_new_tokens_(options.max_new_tokens) {
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      may_end_.push_back(tokenizer.decode({id}).find_first_of(".!?\n") != std::string::npos);
    }
  }

  std::vector<Reply> ask(const std::vector<const data::Question*>& questions) {
    std::vector<Reply> replies(questions.size());
    std::vector<Ids> prompts;
    for (size_t i = 0; i < questions.size(); ++i) {
      replies[i].answer.id = questions[i]->id;
      prompts.push_back(prompt_ids(tokenizer_, asked_prompt(*questions[i])));
    }
    score(questions, prompts, replies);
    std::vector<size_t> asked;  // what cannot be scored is not asked either
    for (size_t i = 0; i < questions.size(); ++i) {
      if (replies[i].problem.empty()) asked.push_back(i);
    }
    say(questions, prompts, asked, replies);
    return replies;
  }

 private:
  /// Nats of the likeliest accepted answer.
  void score(const std::vector<const data::Question*>& questions, const std::vector<Ids>& prompts,
             std::vector<Reply>& replies) {
    std::vector<ScoreRequest> requests;
    std::vector<size_t> owners;
    longest_ = 0;
    for (size_t i = 0; i < questions.size(); ++i) {
      const std::string prompt = asked_prompt(*questions[i]);
      if (prompt.empty()) replies[i].problem = "its prompt is empty";
      const std::set<std::string> truths(questions[i]->answers.begin(), questions[i]->answers.end());
      for (const std::string& truth : truths) {
        const std::string answer = " " + std::string(base::trimmed(truth)) + questions[i]->ending;
        requests.push_back(score_request(tokenizer_, prompt, prompts[i], answer));
        owners.push_back(i);
        longest_ = std::max(longest_, static_cast<int64_t>(requests.back().continuation.size()));
      }
      replies[i].answer.nats = std::numeric_limits<double>::infinity();
    }
    const std::vector<Scored> scores = requests_.score(requests);
    for (size_t j = 0; j < owners.size(); ++j) {
      Reply& reply = replies[owners[j]];
      if (reply.problem.empty()) reply.problem = scores[j].problem;
      if (scores[j].nats < reply.answer.nats) {
        reply.answer.nats = scores[j].nats;
        reply.answer.nats_by_token = to_four_decimals(scores[j].by_token);
      }
    }
  }

  void say(const std::vector<const data::Question*>& questions, const std::vector<Ids>& all_prompts,
           const std::vector<size_t>& asked, std::vector<Reply>& replies) {
    std::vector<Ids> prompts;
    std::vector<AnswerRule> rules;
    for (const size_t i : asked) {
      prompts.push_back(all_prompts[i]);
      rules.emplace_back(questions[i]->answers, questions[i]->ending);
    }
    generation::SamplingOptions sampling;
    sampling.max_new_tokens = std::max(max_new_tokens_, longest_ + kTokensToDecide);
    sampling.stop_ids = {tokenizer_.eos()};
    sampling.stop_when = [&](int64_t place, const Ids& ids) { return has_ended(rules[place], ids); };
    const std::vector<Continued> said = requests_.generate(prompts, sampling);
    for (size_t j = 0; j < asked.size(); ++j) {
      Reply& reply = replies[asked[j]];
      reply.problem = said[j].problem;
      mark(*questions[asked[j]], rules[j].answer(text_of(tokenizer_, said[j].ids)), reply.answer);
    }
  }

  /// Where the answer's end is sure or its tokens are used up; on the way to a longer accepted answer they are not.
  bool has_ended(const AnswerRule& rule, const Ids& ids) const {
    const bool possible = std::any_of(ids.begin(), ids.end(), [this](int64_t id) {
      // A model's vocabulary may be padded beyond its tokenizer's.
      return static_cast<size_t>(id) < may_end_.size() && may_end_[id];
    });
    const auto count = static_cast<int64_t>(ids.size());
    if (!possible && count < max_new_tokens_) return false;
    const std::string said = text_of(tokenizer_, ids);
    if (possible && rule.end(said, false) != std::string::npos) return true;
    return count >= max_new_tokens_ && !rule.is_open(said, /*answer_itself=*/count == max_new_tokens_);
  }

  static void mark(const data::Question& question, std::string text, Answer& answer) {
    base::repair_utf8(text);  // a model may say any bytes; files hold characters
    for (const std::string& truth : question.answers) {
      answer.exact_match |= normalize_answer(text) == normalize_answer(truth);
      answer.f1 = std::max(answer.f1, f1_score(text, truth));
    }
    answer.text = std::move(text);
  }

  static constexpr int64_t kTokensToDecide = 32;  // after an accepted answer, at most

  Requests requests_;
  const text::Tokenizer& tokenizer_;
  int64_t max_new_tokens_;
  int64_t longest_ = 0;        // tokens of an accepted answer of this chunk
  std::vector<bool> may_end_;  // by token id: its text holds an ending or a line end
};

void check_ids(const std::vector<data::Question>& questions) {
  std::set<int64_t> seen;
  for (const data::Question& question : questions) {
    base::check(seen.insert(question.id).second, "two questions have the id ", question.id, "; ids must differ");
    base::check(!question.answers.empty(), "question ", question.id, " has no answers");
  }
}

Json head_of(const model::Transformer& model, const AskOptions& options) {
  Json head = {{"model", fingerprint(model)}, {"max_new_tokens", options.max_new_tokens}, {"rule", kRule}};
  if (options.dtype != "float32") head["dtype"] = options.dtype;
  return head;
}

/// The answer that was kept; nothing where none was.
std::optional<Answer> kept_answer(const ReplyFile& file, const data::Question& question) {
  const Json* line = file.find(question.id, question.prompt);
  if (line == nullptr) return std::nullopt;
  std::optional<Answer> answer = answer_of(*line);
  if (!answer) file.fail_damaged(question.id);
  return answer;
}

void add(Score& score, const Answer& answer) {
  ++score.questions;
  score.exact_match += answer.exact_match ? 1 : 0;
  score.f1 += answer.f1;
  score.nats += answer.nats;
}

void divide(Score& score) {
  if (score.questions == 0) return;
  const auto count = static_cast<double>(score.questions);
  score.exact_match /= count;
  score.f1 /= count;
  score.nats /= count;
}

}  // namespace

std::string asked_prompt(const data::Question& question) {
  const size_t end = question.prompt.find_last_not_of(" \t\r\n\f\v");
  return question.prompt.substr(0, end == std::string::npos ? 0 : end + 1);
}

Asked ask(model::Transformer& model, const text::Tokenizer& tokenizer, const std::vector<data::Question>& questions,
          const AskOptions& options) {
  check_ids(questions);
  std::optional<ReplyFile> file;
  if (!options.resume_file.empty()) file.emplace(options.resume_file, head_of(model, options));

  const std::vector<size_t> indices = chosen(questions.size(), options.limit);
  std::vector<std::optional<Answer>> answers(indices.size());
  std::vector<size_t> open;  // places in indices still to be asked, short prompts first
  for (size_t place = 0; place < indices.size(); ++place) {
    if (file) answers[place] = kept_answer(*file, questions[indices[place]]);
    if (!answers[place]) open.push_back(place);
  }
  std::stable_sort(open.begin(), open.end(), [&](size_t a, size_t b) {
    return questions[indices[a]].prompt.size() < questions[indices[b]].prompt.size();
  });

  std::optional<base::Progress> progress;
  const size_t known = indices.size() - open.size();
  if (!options.progress_title.empty()) progress.emplace(options.progress_title, indices.size(), "questions", known);
  Asker asker(model, tokenizer, options);
  Asked result;
  std::map<size_t, std::string> problems;  // by place, to be named in the order of the questions
  for (size_t begin = 0; begin < open.size(); begin += kChunk) {
    result.interrupted = base::interrupted();
    if (result.interrupted) break;
    const size_t end = std::min(open.size(), begin + kChunk);
    std::vector<const data::Question*> chunk;
    for (size_t i = begin; i < end; ++i) chunk.push_back(&questions[indices[open[i]]]);
    std::vector<Reply> now = asker.ask(chunk);
    for (size_t i = begin; i < end; ++i) {
      Reply& reply = now[i - begin];
      const data::Question& question = *chunk[i - begin];
      if (!reply.problem.empty()) {
        problems[open[i]] = base::concat(name_of(question), ": ", reply.problem);
        continue;
      }
      if (file) file->append(answer_line(question, reply.answer));
      answers[open[i]] = std::move(reply.answer);
    }
    if (progress) progress->update(known + end);
  }
  if (progress) progress->finish();

  for (std::optional<Answer>& answer : answers) {
    if (answer) result.answers.push_back(std::move(*answer));
  }
  for (auto& [place, problem] : problems) result.problems.push_back(std::move(problem));
  return result;
}

Scores score(const std::vector<data::Question>& questions, const std::vector<Answer>& answers) {
  std::map<int64_t, const Answer*> by_id;
  for (const Answer& answer : answers) by_id[answer.id] = &answer;
  Scores scores;
  for (const data::Question& question : questions) {
    const auto found = by_id.find(question.id);
    if (found == by_id.end()) continue;
    add(question.seen_wording ? scores.seen : scores.unseen, *found->second);
    add((question.seen_wording ? scores.seen_by_relation : scores.unseen_by_relation)[question.relation],
        *found->second);
  }
  divide(scores.seen);
  divide(scores.unseen);
  for (auto* relations : {&scores.seen_by_relation, &scores.unseen_by_relation}) {
    for (auto& [relation, relation_score] : *relations) divide(relation_score);
  }
  return scores;
}

}  // namespace memlayers::evaluation
