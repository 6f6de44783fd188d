#include "evaluation/questions/answer_file.h"

#include <limits>
#include <sstream>

#include "base/file.h"

namespace memlayers::evaluation {

using Json = nlohmann::ordered_json;

Json answer_line(const data::Question& question, const Answer& answer) {
  return {{"id", question.id},
          {"relation", question.relation},
          {"wording", question.seen_wording ? "seen" : "unseen"},
          {"prompt", question.prompt},
          {"answers", question.answers},
          {"text", answer.text},
          {"exact_match", answer.exact_match},
          {"f1", answer.f1},
          {"nats", answer.nats},
          {"nats_by_token", answer.nats_by_token}};
}

std::optional<Answer> answer_of(const Json& line) {
  try {
    const Json& nats = line.at("nats");  // null: not finite
    Answer answer{line.at("id").get<int64_t>(), line.at("text").get<std::string>(), line.at("exact_match").get<bool>(),
                  line.at("f1").get<double>(),
                  nats.is_null() ? std::numeric_limits<double>::infinity() : nats.get<double>()};
    for (const Json& token : line.value("nats_by_token", Json::array()))
      answer.nats_by_token.push_back(token.is_null() ? std::numeric_limits<double>::infinity() : token.get<double>());
    return answer;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::map<int64_t, Answer> read_answers(const std::filesystem::path& path) {
  std::map<int64_t, Answer> answers;
  std::istringstream in(base::read_text(path));
  for (std::string line; std::getline(in, line);) {
    const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) continue;
    if (std::optional<Answer> answer = answer_of(object)) answers[answer->id] = std::move(*answer);
  }
  return answers;
}

}  // namespace memlayers::evaluation
