#include "evaluation/questions/answer_file.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/output.h"

namespace memlayers::evaluation {
namespace {

using Json = nlohmann::ordered_json;

/// One line; bytes that are no UTF-8 (a model may say anything) become U+FFFD.
std::string line_of(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

AnswerFile::AnswerFile(const std::filesystem::path& path, const std::string& model, int64_t max_new_tokens)
    : path_(path) {
  const std::string header = line_of({{"model", model}, {"max_new_tokens", max_new_tokens}});
  std::error_code error;
  if (path.has_parent_path()) base::make_folder(path.parent_path());
  const bool stream = base::check_output_file(path).way == base::OutputWay::kStream;
  if (!stream && std::filesystem::exists(path)) read(header);
  const bool fresh = stream || !std::filesystem::exists(path) || std::filesystem::file_size(path, error) == 0;
  out_.open(path, std::ios::app | std::ios::binary);
  if (!out_) throw base::IoError(path, "cannot be opened for writing");
  if (fresh) write(header);
}

void AnswerFile::read(const std::string& header) {
  const std::string text = base::read_text(path_);
  const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole > 0 && text.compare(0, header.size(), header) != 0) {
    throw base::UsageError(base::concat(path_.string(),
                                        ": holds answers of another model or another token limit; give another "
                                        "file, or delete this one to ask again"));
  }
  for (size_t begin = header.size(), line = 2; begin < whole; ++line) {
    const size_t end = text.find('\n', begin);
    try {
      const Json object = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                      text.begin() + static_cast<std::ptrdiff_t>(end));
      Stored stored;
      stored.prompt = object.at("prompt").get<std::string>();
      stored.answer.id = object.at("id").get<int64_t>();
      stored.answer.text = object.at("text").get<std::string>();
      stored.answer.exact_match = object.at("exact_match").get<bool>();
      stored.answer.f1 = object.at("f1").get<double>();
      const Json& nats = object.at("nats");  // null: not finite
      stored.answer.nats = nats.is_null() ? std::numeric_limits<double>::infinity() : nats.get<double>();
      stored_[stored.answer.id] = std::move(stored);
    } catch (const Json::exception&) {
      throw base::IoError(path_, base::concat("line ", line, " is damaged; delete the file to ask again"));
    }
    begin = end + 1;
  }
  if (whole < text.size()) {
    std::error_code error;
    std::filesystem::resize_file(path_, whole, error);
    if (error) throw base::IoError(path_, error.message());
  }
}

const Answer* AnswerFile::find(const data::Question& question) const {
  const auto found = stored_.find(question.id);
  if (found == stored_.end()) return nullptr;
  base::check(found->second.prompt == question.prompt, path_.string(), ": question ", question.id,
              " was another one there (\"", found->second.prompt,
              "\"); give another file, or delete this one to ask again");
  return &found->second.answer;
}

void AnswerFile::append(const data::Question& question, const Answer& answer) {
  write(line_of({{"id", question.id},
                 {"relation", question.relation},
                 {"wording", question.seen_wording ? "seen" : "unseen"},
                 {"prompt", question.prompt},
                 {"answers", question.answers},
                 {"text", answer.text},
                 {"exact_match", answer.exact_match},
                 {"f1", answer.f1},
                 {"nats", answer.nats}}));
}

void AnswerFile::write(const std::string& line) {
  out_ << line << std::flush;
  if (!out_) throw base::IoError(path_, "could not be written (disk full?)");
}

}  // namespace memlayers::evaluation
