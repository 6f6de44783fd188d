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

namespace memlayers::evaluation {
namespace {

using Ids = std::vector<int64_t>;

constexpr size_t kChunk = 512;  // questions between two writes to the resume file

Ids with_bos(const text::Tokenizer& tokenizer, const std::string& text) {
  Ids ids{tokenizer.bos()};
  for (int32_t id : tokenizer.encode(text)) ids.push_back(id);
  return ids;
}

std::string decode(const text::Tokenizer& tokenizer, const Ids& ids) {
  return tokenizer.decode(std::vector<int32_t>(ids.begin(), ids.end()));
}

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

/// What is asked: indices into the questions, one out of each of `limit` equal parts of the list. Which one is drawn, always
/// the same: a fixed stride would fall in step with the wordings of a fact, which take turns in the list.
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

/// Asks one chunk of questions after the other.
class Asker {
 public:
  Asker(model::Transformer& model, const text::Tokenizer& tokenizer, const AskOptions& options)
      : engine_(model), tokenizer_(tokenizer) {
    sampling_.max_new_tokens = options.max_new_tokens;
    sampling_.stop_ids = {tokenizer.eos()};
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      const std::string text = tokenizer.decode({id});
      may_end_.push_back(text.find('.') != std::string::npos || text.find('\n') != std::string::npos);
    }
    sampling_.stop_when = [this](int64_t, const Ids& ids) { return has_ended(ids); };
  }

  std::vector<Answer> ask(const std::vector<const data::Question*>& questions) {
    std::vector<Ids> prompts;
    for (const data::Question* question : questions) prompts.push_back(with_bos(tokenizer_, question->prompt));
    const std::vector<Ids> said = engine_.generate(prompts, sampling_);
    std::vector<Answer> answers(questions.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      answers[i].id = questions[i]->id;
      answers[i].text = extract_answer(decode(tokenizer_, said[i]));
      base::repair_utf8(answers[i].text);  // a model may say any bytes; files hold characters
      for (const std::string& truth : questions[i]->answers) {
        answers[i].exact_match |= normalise_answer(answers[i].text) == normalise_answer(truth);
        answers[i].f1 = std::max(answers[i].f1, f1_score(answers[i].text, truth));
      }
    }
    measure(questions, prompts, answers);
    return answers;
  }

 private:
  bool has_ended(const Ids& ids) const {
    const bool possible = std::any_of(ids.begin(), ids.end(), [this](int64_t id) {
      // A model's vocabulary may be padded beyond its tokenizer's.
      return static_cast<size_t>(id) < may_end_.size() && may_end_[id];
    });
    return possible && first_sentence_end(decode(tokenizer_, ids)) != std::string::npos;
  }

  /// Nats of the likeliest accepted answer.
  void measure(const std::vector<const data::Question*>& questions, const std::vector<Ids>& prompts,
               std::vector<Answer>& answers) {
    std::vector<Ids> heads, tails;
    std::vector<size_t> owners;
    for (size_t i = 0; i < questions.size(); ++i) {
      const std::set<std::string> truths(questions[i]->answers.begin(), questions[i]->answers.end());
      for (const std::string& truth : truths) {
        const Ids whole = with_bos(tokenizer_, questions[i]->prompt + " " + truth + ".");
        const size_t shared = static_cast<size_t>(
            std::mismatch(whole.begin(), whole.end(), prompts[i].begin(), prompts[i].end()).first - whole.begin());
        const auto cut = whole.begin() + static_cast<std::ptrdiff_t>(shared);
        heads.emplace_back(whole.begin(), cut);
        tails.emplace_back(cut, whole.end());
        owners.push_back(i);
      }
    }
    const std::vector<double> scores = engine_.log_likelihood(heads, tails);
    for (Answer& answer : answers) answer.nats = std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < owners.size(); ++j) answers[owners[j]].nats = std::min(answers[owners[j]].nats, -scores[j]);
  }

  generation::Engine engine_;
  const text::Tokenizer& tokenizer_;
  generation::SamplingOptions sampling_;
  std::vector<bool> may_end_;  // by token id: its text holds a period or a line end
};

void check_questions(const std::vector<data::Question>& questions) {
  std::set<int64_t> seen;
  for (const data::Question& question : questions) {
    base::check(seen.insert(question.id).second, "two questions have the id ", question.id, "; ids must differ");
    base::check(!question.answers.empty(), "question ", question.id, " has no answers");
  }
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

std::vector<Answer> ask(model::Transformer& model, const text::Tokenizer& tokenizer,
                        const std::vector<data::Question>& questions, const AskOptions& options) {
  check_questions(questions);
  std::optional<AnswerFile> file;
  if (!options.resume_file.empty()) file.emplace(options.resume_file, fingerprint(model), options.max_new_tokens);

  const std::vector<size_t> indices = chosen(questions.size(), options.limit);
  std::vector<std::optional<Answer>> answers(indices.size());
  std::vector<size_t> open;  // places in indices still to be asked, short prompts first
  for (size_t place = 0; place < indices.size(); ++place) {
    const Answer* known = file ? file->find(questions[indices[place]]) : nullptr;
    if (known != nullptr) {
      answers[place] = *known;
    } else {
      open.push_back(place);
    }
  }
  std::stable_sort(open.begin(), open.end(), [&](size_t a, size_t b) {
    return questions[indices[a]].prompt.size() < questions[indices[b]].prompt.size();
  });

  std::optional<base::Progress> progress;
  const size_t known = indices.size() - open.size();
  if (!options.progress_title.empty()) progress.emplace(options.progress_title, indices.size(), "questions", known);
  Asker asker(model, tokenizer, options);
  for (size_t begin = 0; begin < open.size() && !base::interrupted(); begin += kChunk) {
    const size_t end = std::min(open.size(), begin + kChunk);
    std::vector<const data::Question*> chunk;
    for (size_t i = begin; i < end; ++i) chunk.push_back(&questions[indices[open[i]]]);
    const std::vector<Answer> now = asker.ask(chunk);
    for (size_t i = begin; i < end; ++i) {
      if (file) file->append(*chunk[i - begin], now[i - begin]);
      answers[open[i]] = now[i - begin];
    }
    if (progress) progress->update(known + end);
  }
  if (progress) progress->finish();

  std::vector<Answer> result;
  for (std::optional<Answer>& answer : answers) {
    if (answer) result.push_back(std::move(*answer));
  }
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
