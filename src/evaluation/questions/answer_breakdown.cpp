#include "evaluation/questions/answer_breakdown.h"

#include "base/utf8.h"
#include "evaluation/requests/requests.h"

namespace memlayers::evaluation {

int64_t answer_tokens(const text::Tokenizer& tokenizer, const data::Question& question) {
  const std::string answer = " " + std::string(base::trimmed(question.answers[0]));
  return static_cast<int64_t>(score_request(tokenizer, asked_prompt(question), answer).continuation.size());
}

results::AnswerBreakdown break_down(const text::Tokenizer& tokenizer, const std::vector<data::Question>& questions,
                                    const std::map<int64_t, Answer>& answers) {
  std::vector<results::AnsweredQuestion> answered;
  for (const data::Question& question : questions) {
    const auto found = answers.find(question.id);
    if (found == answers.end()) continue;
    const Answer& answer = found->second;
    results::AnsweredQuestion one{question.seen_wording ? "seen" : "unseen", answer_tokens(tokenizer, question),
                                  answer.exact_match, answer.nats, std::nullopt};
    if (!answer.nats_by_token.empty()) one.first_nats = answer.nats_by_token[0];
    answered.push_back(std::move(one));
  }
  return results::break_down(answered);
}

}  // namespace memlayers::evaluation
