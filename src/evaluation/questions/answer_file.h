// Answers on disk as JSON lines, appended as they come, so that asking can be stopped and continued.
//
// The first line names the model asked ({"model": "...", "max_new_tokens": 24}); each other line is a question and its answer.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "evaluation/questions/asking.h"

namespace memlayers::evaluation {

class AnswerFile {
 public:
  /// Opens for appending, after reading what is there. A line cut short at the end (a killed writer) is dropped. Throws
  /// UsageError when the file is of another model or another token limit, IoError naming the line for any other damage.
  AnswerFile(const std::filesystem::path& path, const std::string& model, int64_t max_new_tokens);

  /// The stored answer to this very question (same id and prompt), or null. Throws UsageError when the id was another question.
  const Answer* find(const data::Question& question) const;
  /// Appends and flushes. Throws IoError (disk full).
  void append(const data::Question& question, const Answer& answer);

 private:
  struct Stored {
    Answer answer;
    std::string prompt;
  };
  void read(const std::string& header);
  void write(const std::string& line);

  std::filesystem::path path_;
  std::map<int64_t, Stored> stored_;
  std::ofstream out_;
};

}  // namespace memlayers::evaluation
