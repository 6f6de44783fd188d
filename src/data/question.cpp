#include "data/question.h"

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "data/sources/json_lines.h"

namespace memlayers::data {

namespace {

Question question_of(const JsonLines& lines, int64_t number) {
  Question question;
  question.line = lines.lines().line_number();
  question.id = lines.optional_integer("id").value_or(number);
  question.relation = lines.optional_text("relation").value_or("");
  question.subject = lines.optional_text("subject").value_or("");
  const std::string wording = lines.optional_text("wording").value_or("unseen");
  if (wording != "seen" && wording != "unseen") lines.fail("field \"wording\" is neither \"seen\" nor \"unseen\"");
  question.seen_wording = wording == "seen";
  question.prompt = lines.text("prompt");
  const std::string id = base::concat(" (id ", question.id, ")");
  if (base::trimmed(question.prompt).empty()) lines.fail("the prompt is empty" + id);
  question.answers = lines.texts({"answers", "answer"});
  if (question.answers.empty()) lines.fail("no answers" + id);
  for (const std::string& answer : question.answers) {
    if (base::trimmed(answer).empty()) lines.fail("an answer is empty" + id);
  }
  question.ending = lines.optional_text("ending").value_or(".");
  const bool mark = question.ending.find_first_of(".!?") != std::string::npos;
  if (!mark || question.ending.find_first_not_of(" .!?") != std::string::npos) {
    lines.fail("field \"ending\" is not a sentence's end, as \".\" or \"!\"" + id);
  }
  return question;
}

}  // namespace

QuestionList read_question_list(const std::filesystem::path& path) {
  QuestionList list;
  JsonLines lines(path);
  std::map<int64_t, int64_t> line_of_id;
  for (int64_t number = 0;; ++number) {
    try {
      if (!lines.next()) return list;
      Question question = question_of(lines, number);
      const auto [first, fresh] = line_of_id.try_emplace(question.id, question.line);
      if (!fresh) lines.fail(base::concat("line ", first->second, " has the id ", question.id, " already"));
      list.questions.push_back(std::move(question));
    } catch (const BrokenLine& error) {
      list.broken.push_back(error);
    }
  }
}

std::vector<Question> readable_questions(const std::filesystem::path& path, base::Problems& problems) {
  QuestionList list = read_question_list(path);
  for (const base::IoError& broken : list.broken) problems.add(broken.what());
  return std::move(list.questions);
}

std::vector<Question> read_questions(const std::filesystem::path& path) {
  QuestionList list = read_question_list(path);
  if (!list.broken.empty()) throw list.broken.front();
  return std::move(list.questions);
}

void write_questions(const std::filesystem::path& path, const std::vector<Question>& questions) {
  base::AtomicFile file(path);
  for (const Question& question : questions) {
    nlohmann::ordered_json line = {
        {"id", question.id},           {"relation", question.relation},
        {"subject", question.subject}, {"wording", question.seen_wording ? "seen" : "unseen"},
        {"prompt", question.prompt},   {"answers", question.answers}};
    if (question.ending != ".") line["ending"] = question.ending;
    file.write(line.dump() + "\n");
  }
  file.commit();
}

}  // namespace memlayers::data
