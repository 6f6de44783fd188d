// memlayers generate: continues prompts.
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/problems.h"
#include "base/utf8.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/standard_streams.h"
#include "evaluation/requests/requests.h"
#include "generation/loaded_model.h"
#include "model/companion_files.h"
#include "text/growing_text.h"

namespace memlayers::cli {
namespace {

constexpr size_t kBatchOfLines = 256;

struct GenerateCommand {
  std::string model;
  std::vector<std::string> prompts;
  generation::SamplingOptions sampling;
  std::string dtype = "float32";
  bool json = false;
};

/// A text to continue and how it is called in messages: "prompt 2", "line 17".
struct Prompt {
  std::string name, text;
};

class Generator {
 public:
  Generator(const GenerateCommand& command, generation::LoadedModel loaded)
      : command_(command), loaded_(std::move(loaded)), requests_(*loaded_.model) {
    const std::vector<int64_t> ends = model::generation_defaults(loaded_.folder).eos;
    command_.sampling.stop_ids = ends.empty() ? std::vector<int64_t>{loaded_.tokenizer->eos()} : ends;
  }

  /// Continues the prompts and prints them in order; a single one appears as it is written. One that cannot be
  /// continued is named, and the others are what they are alone.
  void run(const std::vector<Prompt>& prompts) {
    tried_ += prompts.size();
    std::vector<evaluation::Ids> ids;
    for (const Prompt& prompt : prompts) {
      ids.push_back(prompt.text.empty() ? evaluation::Ids() : evaluation::prompt_ids(*loaded_.tokenizer, prompt.text));
    }
    const bool live = prompts.size() == 1 && !command_.json;
    text::GrowingText growing;
    evaluation::Ids so_far;
    std::function<void(int64_t, int64_t)> show;
    if (live) {
      show = [&](int64_t, int64_t id) {
        so_far.push_back(id);
        std::cout << growing.grown(text_of(ids[0], so_far)) << std::flush;
      };
    }
    const std::vector<evaluation::Continued> said = requests_.generate(ids, command_.sampling, show);
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (!said[i].problem.empty()) {
        fail(prompts[i].name + " " + said[i].problem);
      } else if (live) {
        std::cout << growing.rest(text_of(ids[0], so_far)) << std::endl;
      } else {
        print(prompts[i].text, text_of(ids[i], said[i].ids), text_of(ids[i], {}).size());
      }
    }
  }

  /// A line that holds no prompt.
  void skip_blank(int64_t line) {
    ++tried_;
    fail(base::concat("line ", line, " is empty"));
  }

  /// Throws Error where some could not be continued.
  void finish() const { problems_.throw_if_any(tried_, "prompts could not be continued"); }

 private:
  std::string text_of(const std::vector<int64_t>& prompt, const std::vector<int64_t>& said) const {
    std::vector<int32_t> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), said.begin(), said.end());
    return loaded_.tokenizer->decode(ids);
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

  /// With one prompt alone it is the call that is wrong.
  void fail(const std::string& problem) {
    base::check(command_.prompts.size() != 1, problem);
    problems_.add(problem);
  }

  GenerateCommand command_;
  generation::LoadedModel loaded_;
  evaluation::Requests requests_;
  base::Problems problems_;
  size_t tried_ = 0;
};

/// Prompts from standard input, a line each: at once from a person, in batches from a file. Empty lines at the end of a
/// file are no prompts, ones before others are missed there.
void run_lines(Generator& generator) {
  const bool person = isatty(STDIN_FILENO) != 0;
  std::vector<Prompt> lines;
  std::vector<int64_t> blank;
  int64_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    base::clean_line(line);
    if (line.empty()) {
      if (!person) blank.push_back(number);
      continue;
    }
    for (const int64_t empty : blank) generator.skip_blank(empty);
    blank.clear();
    lines.push_back({base::concat("line ", number), line});
    if (lines.size() < (person ? 1 : kBatchOfLines)) continue;
    generator.run(lines);
    lines.clear();
  }
  if (!lines.empty()) generator.run(lines);
}

}  // namespace

int run_generate(int argc, char** argv) {
  CLI::App app(
      "Continues prompts with a trained model: the ones given, byte for byte, else every line of standard input.\n"
      "A prompt that is empty or too long is named, the others are continued, and the exit status is 1.",
      "memlayers generate");
  GenerateCommand command;
  std::vector<std::string> more;
  app.add_option("MODEL", command.model, "a checkpoint, or the output folder of a run (its newest checkpoint)")
      ->required();
  const CLI::Option* const prompts = app.add_option("PROMPT", command.prompts, "texts to continue");
  const CLI::Option* const named =
      app.add_option("--prompt", more, "a text to continue; may be given again")->take_all();
  app.add_option("--max-new-tokens", command.sampling.max_new_tokens, "tokens to add at most")->capture_default_str();
  // A model's folder may say how it wants to be sampled: generation_config.json.
  const CLI::Option* const temperature =
      app.add_option("--temperature", command.sampling.temperature,
                     "0: always the likeliest token; 1: as the model thinks (default: the model's, else 0)");
  const CLI::Option* const top_k =
      app.add_option("--top-k", command.sampling.top_k,
                     "draw from the k likeliest tokens only; 0: from all (default: the model's, else 0)");
  const CLI::Option* const top_p =
      app.add_option("--top-p", command.sampling.top_p,
                     "draw from the fewest tokens that hold this probability (default: the model's, else 1)");
  app.add_option("--seed", command.sampling.seed, "of the draws; equal seeds give equal texts")->capture_default_str();
  app.add_flag("--json", command.json, "print one JSON object a prompt: {\"prompt\", \"text\"}");
  app.add_option("--dtype", command.dtype, "compute in this; auto: bfloat16 where the processor multiplies it natively")
      ->capture_default_str()
      ->check(CLI::IsMember(base::enum_choices<model::ComputeDtype>()));
  if (const auto status = parse_command_line(app, argc, argv, {prompts, named})) return *status;
  command.prompts.insert(command.prompts.end(), more.begin(), more.end());
  take_guards_off(command.prompts);
  take_guard_off(command.model);

  if (command.prompts.empty()) check_standard_input("give the prompts as arguments");
  std::signal(SIGINT, SIG_DFL);  // nothing to save: Ctrl-C ends at once, at the prompt too
  std::signal(SIGTERM, SIG_DFL);
  const auto dtype = base::enum_named<model::ComputeDtype>(command.dtype).value();
  generation::LoadedModel loaded = generation::load_named_model(command.model, dtype);
  const model::GenerationDefaults defaults = model::generation_defaults(loaded.folder);
  // Who says one of them means to say all: a temperature alone draws from all tokens.
  if (temperature->count() + top_k->count() + top_p->count() == 0) {
    command.sampling.temperature = defaults.temperature.value_or(command.sampling.temperature);
    command.sampling.top_k = defaults.top_k.value_or(command.sampling.top_k);
    command.sampling.top_p = defaults.top_p.value_or(command.sampling.top_p);
  }
  Generator generator(command, std::move(loaded));
  if (command.prompts.empty()) {
    run_lines(generator);
  } else {
    std::vector<Prompt> numbered;
    for (const std::string& text : command.prompts) {
      numbered.push_back({base::concat("prompt ", numbered.size() + 1), text});
    }
    generator.run(numbered);
  }
  generator.finish();
  return 0;
}

}  // namespace memlayers::cli
