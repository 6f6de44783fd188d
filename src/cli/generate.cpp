// memlayers generate: continues prompts.
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/model_folder.h"
#include "cli/standard_streams.h"
#include "generation/engine.h"
#include "text/growing_text.h"

namespace memlayers::cli {
namespace {

constexpr size_t kBatchOfLines = 256;

struct GenerateCommand {
  std::string model;
  std::vector<std::string> prompts;
  generation::SamplingOptions sampling;
  bool json = false;
};

class Generator {
 public:
  Generator(const GenerateCommand& command, LoadedModel loaded)
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
    text::GrowingText growing;
    const auto show = [](std::string_view part) { std::cout << part << std::flush; };
    show(growing.grown(text_of(prompt, {})));
    std::vector<int64_t> so_far;
    engine_.generate({prompt}, options, [&](int64_t, int64_t id) {
      so_far.push_back(id);
      show(growing.grown(text_of(prompt, so_far)));
    });
    show(growing.rest(text_of(prompt, so_far)));
    std::cout << std::endl;
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
  LoadedModel loaded_;
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
  const CLI::Option* const prompts = app.add_option("PROMPT", command.prompts, "texts to continue");
  const CLI::Option* const named =
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
  if (const auto status = parse_command_line(app, argc, argv, {prompts, named})) return *status;
  command.prompts.insert(command.prompts.end(), more.begin(), more.end());

  if (command.prompts.empty()) check_standard_input("give the prompts as arguments");
  std::signal(SIGINT, SIG_DFL);  // nothing to save: Ctrl-C ends at once, at the prompt too
  std::signal(SIGTERM, SIG_DFL);
  Generator generator(command, load_named_model(command.model));
  if (command.prompts.empty()) {
    run_lines(generator);
  } else {
    generator.run(command.prompts);
  }
  return 0;
}

}  // namespace memlayers::cli
