// A closed-book question: what `prepare` writes into questions.jsonl and `eval` asks.
//
// One JSON object a line:
//   {"id": 17, "relation": "country_alpha_2", "subject": "Aruba", "wording": "seen" | "unseen",
//    "prompt": "The two-letter code of Aruba is", "answers": ["AW"]}
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace memlayers::data {

struct Question {
  int64_t id = 0;
  std::string relation, subject;
  bool seen_wording = false;  // the prompt's wording was trained on (for this fact, from the same source)
  std::string prompt;         // the answer follows it after one space
  std::vector<std::string> answers;
};

/// Throws IoError naming file and line.
std::vector<Question> read_questions(const std::filesystem::path& path);
void write_questions(const std::filesystem::path& path, const std::vector<Question>& questions);

}  // namespace memlayers::data
