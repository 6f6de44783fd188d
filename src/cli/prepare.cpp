// memlayers prepare: text, JSONL and facts to token shards.

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/log.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "data/prepare.h"
#include "data/sources/json_lines.h"

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;
using base::check;
using data::PrepareConfig;

struct Arguments {
  std::string config, output, tokenizer, text_field;
  std::vector<std::string> words;  // key=value with --config, else files
  bool force = false, keys = false;
};

/// "corpus.jsonl.zst" is JSONL, "notes.txt" is text; under other names (a pipe's) the content tells.
bool is_jsonl(const fs::path& path) {
  fs::path name = path;
  if (name.extension() == ".gz" || name.extension() == ".zst") name.replace_extension();
  const std::string ending = name.extension();
  if (ending == ".jsonl" || ending == ".json" || ending == ".ndjson") return true;
  if (ending == ".txt" || ending == ".text" || ending == ".md") return false;
  const bool jsonl = data::begins_with_json_object(path);
  if (jsonl) base::log_info(base::concat(path.string(), ": read as JSON lines, by its content"));
  return jsonl;
}

/// --tokenizer bytes | sentencepiece | a number of pieces | a path.
void choose_tokenizer(data::TokenizerConfig& config, const std::string& choice) {
  if (choice == "bytes") {
    config.kind = data::TokenizerKind::kBytes;
  } else if (!choice.empty() && choice.find_first_not_of("0123456789") == std::string::npos) {
    check(choice.size() <= 7, "--tokenizer: expected at most 1,000,000 pieces, got ", choice);
    config.vocab_size = std::stoll(choice);
  } else if (choice != "sentencepiece") {
    config.kind = data::TokenizerKind::kPath;
    config.path = choice;
  }
}

/// The short form: files and --output, no configuration file.
PrepareConfig config_of_files(const Arguments& arguments) {
  check(!arguments.words.empty(),
        "prepare: expected --config FILE, or files and --output DIR (see memlayers prepare --help)");
  check(!arguments.output.empty(), "prepare: expected --output DIR with files given by name");
  PrepareConfig config;
  config.output = arguments.output;
  config.tokenizer.vocab_size = 16000;
  choose_tokenizer(config.tokenizer, arguments.tokenizer);
  for (const std::string& word : arguments.words) {
    check(fs::exists(word) || word.find('=') == std::string::npos, "prepare: ", word,
          " is no file; key=value needs --config FILE");
    data::PrepareSource source;
    source.kind = is_jsonl(word) ? data::SourceKind::kJsonl : data::SourceKind::kText;
    source.path = word;
    if (source.kind == data::SourceKind::kJsonl) source.text_field = arguments.text_field;
    config.sources.push_back(source);
  }
  for (const auto& source : config.sources) source.validate();
  config.tokenizer.validate();
  config.validate();
  return config;
}

PrepareConfig read_config(const Arguments& arguments) {
  if (arguments.config.empty()) return config_of_files(arguments);
  std::vector<std::string> overrides = arguments.words;
  if (!arguments.output.empty()) overrides.push_back("output=" + arguments.output);
  check(arguments.tokenizer == "sentencepiece" && arguments.text_field == "text",
        "prepare: --tokenizer and --text-field go with files given by name; with --config set tokenizer.kind=... and "
        "sources.0.text_field=...");
  return base::load_config<PrepareConfig>(arguments.config, overrides);
}

void print_summary(const data::PrepareResult& result, const std::string& output) {
  const auto& summary = result.summary;
  const auto number = [&](const char* section, const char* key) { return summary.at(section).at(key).get<int64_t>(); };
  std::cout << output << (result.reused ? ": already prepared, " : ": ") << number("train", "documents")
            << " documents, " << number("train", "tokens") << " tokens";
  if (number("validation", "documents") > 0)
    std::cout << " (validation: " << number("validation", "documents") << " documents)";
  if (number("facts", "count") > 0) {
    std::cout << ", " << number("facts", "count") << " facts read "
              << summary.at("facts").at("exposures_per_epoch").get<double>() << " times a pass";
  }
  std::cout << ", " << number("questions", "count") << " questions, vocabulary " << number("tokenizer", "vocab_size")
            << "\n";
  for (const auto& source : summary.at("sources")) {
    const auto left_out = source.value("left_out", nlohmann::ordered_json::object());
    for (const auto& [reason, count] : left_out.items()) {
      std::cout << "  " << source.at("kind").get<std::string>() << ": left out " << count << " facts: " << reason
                << "\n";
    }
  }
  std::cout << std::flush;
}

}  // namespace

int run_prepare(int argc, char** argv) {
  Arguments arguments;
  arguments.tokenizer = "sentencepiece";
  arguments.text_field = "text";
  CLI::App app(
      "Turns text, JSONL and facts into token shards, a tokenizer and questions.\n"
      "  memlayers prepare --config FILE [key=value ...]\n"
      "  memlayers prepare INPUT... --output DIR [--tokenizer KIND]",
      "memlayers prepare");
  app.add_option("words", arguments.words,
                 "with --config: key=value; else files or pipes: JSONL or text, plain, .gz or .zst");
  app.add_option("-c,--config", arguments.config, "configuration file (YAML); --keys lists what it may hold");
  app.add_option("-o,--output", arguments.output, "folder to write");
  app.add_option("-t,--tokenizer", arguments.tokenizer,
                 "bytes, sentencepiece (16,000 pieces), a number of pieces, or the path of an existing one")
      ->capture_default_str();
  app.add_option("--text-field", arguments.text_field, "field of a JSONL line that holds the text")
      ->capture_default_str();
  app.add_flag("--force", arguments.force, "replace data that prepare wrote there with other settings");
  app.add_flag("--keys", arguments.keys, "print all keys of a configuration with their defaults, and end");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;
  if (arguments.keys) {
    std::cout << base::config_help<PrepareConfig>() << std::flush;
    return 0;
  }
  base::watch_for_interrupt();
  const PrepareConfig config = read_config(arguments);
  print_summary(data::prepare(config, arguments.force), config.output);
  return 0;
}

}  // namespace memlayers::cli
