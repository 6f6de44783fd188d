#include "data/question.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "data/sources/json_lines.h"

namespace memlayers::data {

std::vector<Question> read_questions(const std::filesystem::path& path) {
  std::vector<Question> questions;
  JsonLines lines(path);
  while (lines.next()) {
    Question question;
    question.id = lines.optional_integer("id").value_or(static_cast<int64_t>(questions.size()));
    question.relation = lines.optional_text("relation").value_or("");
    question.subject = lines.optional_text("subject").value_or("");
    const std::string wording = lines.optional_text("wording").value_or("unseen");
    if (wording != "seen" && wording != "unseen") lines.fail("field \"wording\" is neither \"seen\" nor \"unseen\"");
    question.seen_wording = wording == "seen";
    question.prompt = lines.text("prompt");
    question.answers = lines.texts({"answers", "answer"});
    if (question.answers.empty()) lines.fail("no answers");
    questions.push_back(std::move(question));
  }
  return questions;
}

void write_questions(const std::filesystem::path& path, const std::vector<Question>& questions) {
  base::AtomicFile file(path);
  for (const Question& question : questions) {
    const nlohmann::ordered_json line = {
        {"id", question.id},           {"relation", question.relation},
        {"subject", question.subject}, {"wording", question.seen_wording ? "seen" : "unseen"},
        {"prompt", question.prompt},   {"answers", question.answers}};
    file.write(line.dump() + "\n");
  }
  file.commit();
}

}  // namespace memlayers::data
