// memlayers tokenize: what a model sees of a text, and back.
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/standard_streams.h"
#include "text/tokenizer.h"

namespace memlayers::cli {
namespace {

struct TokenizeCommand {
  std::string folder;
  std::vector<std::string> texts;
  bool ids = false, pieces = false, decode = false, bare = false;
};

/// "12 7 -3" as numbers. Throws UsageError naming `name`.
std::vector<int32_t> ids_of(const std::string& line, const std::string& name) {
  std::vector<int32_t> ids;
  const char *at = line.data(), *end = at + line.size();
  while (true) {
    while (at < end && (*at == ' ' || *at == ',' || *at == '\t')) ++at;
    if (at == end) return ids;
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    base::check(error == std::errc() && (next == end || *next == ' ' || *next == ',' || *next == '\t'), name,
                ": expected token ids, whole numbers with spaces between");
    ids.push_back(id);
    at = next;
  }
}

class TokenPrinter {
 public:
  TokenPrinter(const TokenizeCommand& command, std::shared_ptr<const text::Tokenizer> tokenizer)
      : command_(command), tokenizer_(std::move(tokenizer)) {}

  void print(const std::string& text, const std::string& name) {
    if (command_.decode) {
      print_text(ids_of(text, name), name);
      return;
    }
    std::vector<int32_t> ids;
    if (!command_.bare) ids = tokenizer_->before_text();
    const std::vector<int32_t> own = tokenizer_->encode(text);
    ids.insert(ids.end(), own.begin(), own.end());
    if (command_.ids) {
      std::cout << joined(ids) << '\n';
    } else if (command_.pieces) {
      std::cout << pieces(ids) << '\n';
    } else {
      std::cout << "tokens  " << ids.size() << "\nids     " << joined(ids) << "\npieces  " << pieces(ids)
                << "\ntext    " << quoted(tokenizer_->decode(ids)) << '\n';
    }
  }

 private:
  void print_text(const std::vector<int32_t>& ids, const std::string& name) const {
    for (const int32_t id : ids) {
      base::check(id >= 0 && id < tokenizer_->vocab_size(), name, ": the id ", id, " is outside of the vocabulary of ",
                  tokenizer_->vocab_size());
    }
    std::cout << (command_.pieces ? pieces(ids) : tokenizer_->decode(ids)) << '\n';
  }

  static std::string joined(const std::vector<int32_t>& ids) {
    std::string line;
    for (const int32_t id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
    return line;
  }

  static std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  /// A JSON list, since pieces may hold anything.
  std::string pieces(const std::vector<int32_t>& ids) const {
    nlohmann::json list = nlohmann::json::array();
    for (const int32_t id : ids) list.push_back(tokenizer_->piece(id));
    return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  const TokenizeCommand& command_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

}  // namespace

int run_tokenize(int argc, char** argv) {
  CLI::App app(
      "Shows what a model sees of texts: the ones given, byte for byte, else every line of standard input. The tokens\n"
      "that are put before a text are shown too. Special tokens' names in a text become special tokens where the\n"
      "tokenizer is a tokenizer.json.",
      "memlayers tokenize");
  TokenizeCommand command;
  app.add_option("FOLDER", command.folder,
                 "a model's or prepared data's folder, a tokenizer.json, or a SentencePiece tokenizer.model")
      ->required();
  const CLI::Option* const texts = app.add_option("TEXT", command.texts, "texts; with --decode, token ids");
  CLI::Option* const ids = app.add_flag("--ids", command.ids, "print ids only, a line a text");
  app.add_flag("--pieces", command.pieces, "print the tokens as the vocabulary writes them, a JSON list a text")
      ->excludes(ids);
  app.add_flag("--decode", command.decode, "the other way: token ids to text")->excludes(ids);
  app.add_flag("--bare", command.bare, "without the tokens that are put before a text");
  if (const auto status = parse_command_line(app, argc, argv, {texts})) return *status;
  take_guards_off(command.texts);
  take_guard_off(command.folder);

  if (command.texts.empty()) check_standard_input("give the texts as arguments");
  TokenPrinter printer(command, text::load_tokenizer(command.folder));
  for (size_t i = 0; i < command.texts.size(); ++i) printer.print(command.texts[i], base::concat("text ", i + 1));
  if (!command.texts.empty()) return 0;
  int64_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    base::clean_line(line);
    printer.print(line, base::concat("line ", ++number));
  }
  return 0;
}

}  // namespace memlayers::cli
