// memlayers generate: continues prompts.
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "generation/engine.h"
#include "generation/loaded_model.h"

namespace memlayers::cli {
namespace {

constexpr size_t kBatchOfLines = 256;

struct GenerateCommand {
  std::string model;
  std::vector<std::string> prompts;
  generation::SamplingOptions sampling;
  bool json = false;
};

/// Bytes of `text` up to its last whole UTF-8 character.
size_t whole_characters(const std::string& text) {
  size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 3 && (static_cast<unsigned char>(text[begin - 1]) & 0xC0) == 0x80) --begin;
  if (begin == 0) return text.size();
  const auto lead = static_cast<unsigned char>(text[begin - 1]);
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return text.size() - (begin - 1) < length ? begin - 1 : text.size();
}

/// Writes a text as it grows, whole characters at a time. A last U+FFFD may yet become another character, so it waits.
class TextStream {
 public:
  void show(const std::string& text) {
    size_t end = whole_characters(text);
    if (text.substr(0, end).ends_with("\xEF\xBF\xBD")) end -= 3;
    write(text, end);
  }
  void finish(const std::string& text) {
    write(text, text.size());
    std::cout << std::endl;
  }

 private:
  void write(const std::string& text, size_t end) {
    if (end <= shown_) return;
    std::cout << text.substr(shown_, end - shown_) << std::flush;
    shown_ = end;
  }
  size_t shown_ = 0;
};

class Generator {
 public:
  Generator(const GenerateCommand& command, generation::LoadedModel loaded)
      : command_(command), loaded_(std::move(loaded)), engine_(*loaded_.model) {
    command_.sampling.stop_ids = {loaded_.tokenizer->eos()};
  }

  /// Continues the prompts and prints them in order; a single one appears as it is written.
  void run(const std::vector<std::string>& prompts) {
    std::vector<std::vector<int64_t>> ids;
    for (const std::string& prompt : prompts) {
      auto& line = ids.emplace_back(1, loaded_.tokenizer->bos());
      for (int32_t id : loaded_.tokenizer->encode(prompt)) line.push_back(id);
    }
    const generation::SamplingOptions options = fitting(ids);
    if (prompts.size() == 1 && !command_.json) {
      stream(ids[0], options);
      return;
    }
    const auto said = engine_.generate(ids, options);
    for (size_t i = 0; i < prompts.size(); ++i) print(prompts[i], text_of(ids[i], said[i]), text_of(ids[i], {}).size());
  }

 private:
  /// Fewer new tokens where the model's positions end before.
  generation::SamplingOptions fitting(const std::vector<std::vector<int64_t>>& ids) const {
    generation::SamplingOptions options = command_.sampling;
    for (const auto& prompt : ids) {
      const auto room = loaded_.model->config().max_position_embeddings - static_cast<int64_t>(prompt.size());
      options.max_new_tokens = std::min(options.max_new_tokens, std::max<int64_t>(room, 1));
    }
    return options;
  }

  std::string text_of(const std::vector<int64_t>& prompt, const std::vector<int64_t>& said) const {
    std::vector<int32_t> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), said.begin(), said.end());
    return loaded_.tokenizer->decode(ids);
  }

  void stream(const std::vector<int64_t>& prompt, const generation::SamplingOptions& options) {
    TextStream stream;
    stream.show(text_of(prompt, {}));
    std::vector<int64_t> so_far;
    engine_.generate({prompt}, options, [&](int64_t, int64_t id) {
      so_far.push_back(id);
      stream.show(text_of(prompt, so_far));
    });
    stream.finish(text_of(prompt, so_far));
  }

  void print(const std::string& prompt, const std::string& text, size_t prompt_bytes) const {
    if (!command_.json) {
      std::cout << text << std::endl;
      return;
    }
    const nlohmann::ordered_json line = {{"prompt", prompt},
                                         {"text", text.substr(std::min(prompt_bytes, text.size()))}};
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
  }

  GenerateCommand command_;
  generation::LoadedModel loaded_;
  generation::Engine engine_;
};

/// Prompts from standard input, a line each: at once from a person, in batches from a file.
void run_lines(Generator& generator) {
  const size_t batch = isatty(STDIN_FILENO) != 0 ? 1 : kBatchOfLines;
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    lines.push_back(line);
    if (lines.size() < batch) continue;
    generator.run(lines);
    lines.clear();
  }
  if (!lines.empty()) generator.run(lines);
}

}  // namespace

int run_generate(int argc, char** argv) {
  CLI::App app("Continues prompts with a trained model: the ones given, else every line of standard input.",
               "memlayers generate");
  GenerateCommand command;
  std::vector<std::string> more;
  app.add_option("MODEL", command.model, "a checkpoint, or the output folder of a run (its newest checkpoint)")
      ->required();
  app.add_option("PROMPT", command.prompts, "texts to continue");
  app.add_option("--prompt", more, "a text to continue; may be given again")->take_all();
  app.add_option("--max-new-tokens", command.sampling.max_new_tokens, "tokens to add at most")->capture_default_str();
  app.add_option("--temperature", command.sampling.temperature, "0: always the likeliest token; 1: as the model thinks")
      ->capture_default_str();
  app.add_option("--top-k", command.sampling.top_k, "draw from the k likeliest tokens only; 0: from all")
      ->capture_default_str();
  app.add_option("--top-p", command.sampling.top_p, "draw from the fewest tokens that hold this probability")
      ->capture_default_str();
  app.add_option("--seed", command.sampling.seed, "of the draws; equal seeds give equal texts")->capture_default_str();
  app.add_flag("--json", command.json, "print one JSON object a prompt: {\"prompt\", \"text\"}");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;
  command.prompts.insert(command.prompts.end(), more.begin(), more.end());

  std::signal(SIGINT, SIG_DFL);  // nothing to save: Ctrl-C ends at once, at the prompt too
  std::signal(SIGTERM, SIG_DFL);
  Generator generator(command, generation::load_named_model(command.model));
  if (command.prompts.empty()) {
    run_lines(generator);
  } else {
    generator.run(command.prompts);
  }
  return 0;
}

}  // namespace memlayers::cli
