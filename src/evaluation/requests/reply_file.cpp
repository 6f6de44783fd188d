#include "evaluation/requests/reply_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/output.h"

namespace memlayers::evaluation {
namespace {

using Json = nlohmann::ordered_json;

/// One line; bytes that are no UTF-8 (a model may say anything) become U+FFFD.
std::string line_of(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string damage(size_t line) { return base::concat("line ", line, " is damaged; delete the file to ask again"); }

}  // namespace

ReplyFile::ReplyFile(const std::filesystem::path& path, const Json& head) : path_(path) {
  const std::string first = line_of(head);
  std::error_code error;
  if (path.has_parent_path()) base::make_folder(path.parent_path());
  const bool stream = base::check_output_file(path).way == base::OutputWay::kStream;
  if (!stream && std::filesystem::exists(path)) read(first);
  const bool fresh = stream || !std::filesystem::exists(path) || std::filesystem::file_size(path, error) == 0;
  out_.open(path, std::ios::app | std::ios::binary);
  if (!out_) throw base::IoError(path, "cannot be opened for writing");
  if (fresh) write(first);
}

void ReplyFile::read(const std::string& head) {
  const std::string text = base::read_text(path_);
  const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole > 0 && text.compare(0, head.size(), head) != 0) {
    throw base::UsageError(base::concat(path_.string(),
                                        ": holds answers of another model, of another token limit or by another rule; "
                                        "give another file, or delete this one to ask again"));
  }
  for (size_t begin = head.size(), line = 2; begin < whole; ++line) {
    const size_t end = text.find('\n', begin);
    Json object = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                              text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, /*allow_exceptions=*/false);
    const bool sound = object.is_object() && object.contains("id") && object["id"].is_number_integer() &&
                       object.contains("prompt") && object["prompt"].is_string();
    if (!sound) throw base::IoError(path_, damage(line));
    const auto id = object["id"].get<int64_t>();
    stored_[id] = {std::move(object), line};
    begin = end + 1;
  }
  if (whole < text.size()) {
    std::error_code error;
    std::filesystem::resize_file(path_, whole, error);
    if (error) throw base::IoError(path_, error.message());
  }
}

const Json* ReplyFile::find(int64_t id, const std::string& prompt) const {
  const auto found = stored_.find(id);
  if (found == stored_.end()) return nullptr;
  const auto& asked = found->second.line["prompt"].get_ref<const std::string&>();
  base::check(asked == prompt, path_.string(), ": question ", id, " was another one there (\"", asked,
              "\"); give another file, or delete this one to ask again");
  return &found->second.line;
}

void ReplyFile::append(const Json& line) { write(line_of(line)); }

void ReplyFile::fail_damaged(int64_t id) const { throw base::IoError(path_, damage(stored_.at(id).number)); }

void ReplyFile::write(const std::string& line) {
  out_ << line << std::flush;
  if (!out_) throw base::IoError(path_, "could not be written (disk full?)");
}

}  // namespace memlayers::evaluation
