// Answers by their length in tokens, and how nats spread over the questions.
#pragma once

#include "evaluation/questions/asking.h"
#include "results/answers.h"

namespace memlayers::evaluation {

/// Tokens that the first accepted answer adds to the prompt, its ending not counted.
int64_t answer_tokens(const text::Tokenizer& tokenizer, const data::Question& question);

/// Of the questions that have an answer (by id). What answers of older files lack of it is not measured.
results::AnswerBreakdown break_down(const text::Tokenizer& tokenizer, const std::vector<data::Question>& questions,
                                    const std::map<int64_t, Answer>& answers);

}  // namespace memlayers::evaluation
