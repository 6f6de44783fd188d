// Answers on disk, the lines of answers.jsonl after its head (requests/reply_file.h).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "evaluation/questions/asking.h"

namespace memlayers::evaluation {

nlohmann::ordered_json answer_line(const data::Question& question, const Answer& answer);
/// Nothing where the line lacks something that every answer has.
std::optional<Answer> answer_of(const nlohmann::ordered_json& line);

/// The answers of a file by id, whoever was asked; other lines are passed over. Throws IoError: it cannot be read.
std::map<int64_t, Answer> read_answers(const std::filesystem::path& path);

}  // namespace memlayers::evaluation
