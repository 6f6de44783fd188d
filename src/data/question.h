// A closed-book question: what `prepare` writes into questions.jsonl and `eval` asks.
//
// One JSON object a line:
//   {"id": 17, "relation": "country_alpha_2", "subject": "Aruba", "wording": "seen" | "unseen",
//    "prompt": "The two-letter code of Aruba is", "answers": ["AW"]}
//
// "ending" may say how the sentence ends after the answer where that is not by a full stop ("!").
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/problems.h"

namespace memlayers::data {

struct Question {
  int64_t id = 0;
  std::string relation, subject;
  bool seen_wording = false;  // the prompt's wording was trained on (for this fact, from the same source)
  std::string prompt;         // the answer follows it after one space
  std::vector<std::string> answers;
  std::string ending = ".";  // follows the answer
  int64_t line = 0;          // of the file it was read from
};

/// A file's questions, and what is wrong with its other lines: "FILE:LINE: reason (id N)".
struct QuestionList {
  std::vector<Question> questions;
  std::vector<base::IoError> broken;
};

/// Reads all lines that are questions. Broken is one that is no JSON object, has fields of other types, no answers, an
/// empty prompt, or the id of a line before it; a line without an id has its number, blank lines not counted, from 0.
/// Throws IoError: the file cannot be read.
QuestionList read_question_list(const std::filesystem::path& path);
/// Its questions; what is wrong with its other lines goes to `problems`. Throws IoError: the file cannot be read.
std::vector<Question> readable_questions(const std::filesystem::path& path, base::Problems& problems);
/// The same where every line must be a question: throws IoError naming file and line of the first that is none.
std::vector<Question> read_questions(const std::filesystem::path& path);
void write_questions(const std::filesystem::path& path, const std::vector<Question>& questions);

}  // namespace memlayers::data
