// memlayers inspect: what a trained model's tables hold and how they are read.
#include <algorithm>

#include "base/interrupt.h"
#include "base/output.h"
#include "base/problems.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/trained_config.h"
#include "data/shards/prepared_data.h"
#include "evaluation/tables/slot_inspection.h"
#include "generation/loaded_model.h"
#include "model/checkpoint.h"
#include "report/inspection/inspection_page.h"

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string run, split = "train", questions, ask, since, output;
  std::vector<std::string> data;
  int64_t tokens = 16'384, top = 10, slot = 0;
  double hot = 10;
  bool json = false;
};

std::vector<data::SourceConfig> sources(const Arguments& arguments, const fs::path& model,
                                        const std::optional<training::TrainConfig>& config) {
  if (!arguments.data.empty()) {
    std::vector<data::SourceConfig> named;
    for (const std::string& folder : arguments.data) named.push_back({folder, 1.0});
    return named;
  }
  base::check(config.has_value(), model.string(),
              ": does not say what data it was trained on (no state.json); name a prepared folder with --data FOLDER");
  for (const data::SourceConfig& source : config->data.sources) {
    base::check(fs::exists(source.path), source.path, ": the run's data is not there, seen from ",
                fs::current_path().string(), "; name it with --data FOLDER");
  }
  return config->data.sources;
}

/// The file named, or the one beside the data; empty where there is none.
fs::path questions_file(const std::string& named, const std::vector<data::SourceConfig>& sources) {
  if (!named.empty()) return fs::is_directory(named) ? fs::path(named) / data::kQuestionsFile : fs::path(named);
  for (const data::SourceConfig& source : sources) {
    if (fs::exists(fs::path(source.path) / data::kQuestionsFile)) return fs::path(source.path) / data::kQuestionsFile;
  }
  return {};
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 19 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// --ask as a question: a number is a question's id, everything else a prompt.
void set_asked(const std::string& ask, evaluation::InspectOptions& options) {
  if (!is_number(ask)) {
    options.ask.emplace().prompt = ask;
    return;
  }
  const int64_t id = std::stoll(ask);
  base::check(!options.questions.empty(), "--ask ", ask,
              ": there are no questions beside the data to look up; name their file with --questions");
  const auto found = std::ranges::find(options.questions, id, &data::Question::id);
  base::check(found != options.questions.end(), "--ask ", ask, ": none of the ", options.questions.size(),
              " questions of ", options.questions_name, " has this id");
  options.ask = *found;
  options.ask_has_id = true;
}

/// What drift is measured from: a checkpoint or run, the name of a checkpoint of this run, or its start.
std::unique_ptr<model::Transformer> load_since(const std::string& since, const fs::path& inspected,
                                               const std::optional<training::TrainConfig>& config) {
  if (since == "start") {
    base::check(config.has_value(), inspected.string(),
                ": does not say with which seed it began (no state.json); name a checkpoint with --since FOLDER");
    return std::make_unique<model::Transformer>(model::load_model_config(inspected / "config.json"), config->seed);
  }
  const fs::path beside = inspected.parent_path() / since;
  return model::load_model(
      generation::model_folder(!fs::exists(since) && fs::exists(beside) ? beside : fs::path(since)));
}

fs::path page_file(const std::string& output, const fs::path& model) {
  if (!output.empty()) return output;
  const fs::path parent = fs::absolute(model).lexically_normal().parent_path();
  return (parent.filename() == "checkpoints" ? parent.parent_path() : model) / "inspect.html";
}

/// The questions are read where they are needed.
void set_questions(const Arguments& arguments, bool slot_given, evaluation::InspectOptions& options,
                   base::Problems& problems) {
  if (!slot_given && !is_number(arguments.ask)) {
    base::check(arguments.questions.empty(), "--questions is for --slot N or --ask ID; give one of them as well");
    return;
  }
  const fs::path file = questions_file(arguments.questions, options.sources);
  if (file.empty()) return;
  options.questions = data::readable_questions(file, problems);
  options.questions_name = file.string();
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("RUN", arguments.run, "the output folder of a run (its newest checkpoint), or a checkpoint")
      ->required();
  app.add_option("--data", arguments.data,
                 "a prepared folder to read, may be repeated; default: what the run was trained on")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  app.add_option("--split", arguments.split, "which documents are read")
      ->capture_default_str()
      ->check(CLI::IsMember({"train", "validation"}));
  app.add_option("--tokens", arguments.tokens, "tokens to read; 0: all of the split")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--hot", arguments.hot, "a slot is hot when read so many times as often as even reading would")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--top", arguments.top, "entries of each list")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--since", arguments.since,
                 "how far rows moved since this checkpoint (a folder, step-XXXXXXXX of the run, or start)");
  app.add_option("--slot", arguments.slot, "which documents and questions light this slot");
  app.add_option("--ask", arguments.ask, "which slots answer: a prompt, or the id of a question");
  app.add_option("--questions", arguments.questions,
                 "JSONL file of questions, or a folder with one; default: beside the data");
  app.add_option("-o,--output", arguments.output, "the page; default: inspect.html in the run's folder")
      ->type_name("FILE.html");
  app.add_flag("--json", arguments.json, "print one JSON object instead of tables");
}

}  // namespace

int run_inspect(int argc, char** argv) {
  CLI::App app(
      "Looks into the tables of a trained model while it reads a sample of its data: use by layer and head, dead and\n"
      "hot slots, slots that layers share, how far rows moved, what lights a slot and which slots answer a question.\n"
      "Prints tables and writes them with charts as one self-contained page.",
      "memlayers inspect");
  Arguments arguments;
  add_options(app, arguments);
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  if (!arguments.output.empty()) base::check_output_file(arguments.output);  // before the model is read
  const generation::LoadedModel loaded = generation::load_named_model(arguments.run);
  const fs::path page = page_file(arguments.output, loaded.folder);
  base::check_output_file(page);
  base::check(!loaded.model->config().memory.layers.empty(), loaded.folder.string(),
              ": has no memory layers, so there is no table to inspect");
  const auto config = trained_config(loaded.folder);
  evaluation::InspectOptions options;
  options.sources = sources(arguments, loaded.folder, config);
  options.split = arguments.split;
  options.tokens = arguments.tokens;
  if (config) options.max_length = config->data.seq_len;
  options.hot_factor = arguments.hot;
  options.top = arguments.top;
  if (app.count("--slot") > 0) options.slot = arguments.slot;
  base::Problems problems;
  set_questions(arguments, options.slot.has_value(), options, problems);
  if (app.count("--ask") > 0) set_asked(arguments.ask, options);
  options.training_state = loaded.folder / "training_state.safetensors";
  options.progress = true;
  std::unique_ptr<model::Transformer> since;
  if (!arguments.since.empty()) {
    since = load_since(arguments.since, loaded.folder, config);
    options.since = since.get();
    options.since_name = arguments.since;
  }

  results::Inspection inspection = evaluation::inspect(*loaded.model, *loaded.tokenizer, options);
  inspection.model = loaded.folder.string();
  if (inspection.tokens == 0) {
    std::cerr << "interrupted before anything was read" << std::endl;
    return 0;
  }
  base::write_text_atomically(page, report::inspection_page(inspection));
  if (arguments.json) {
    std::cout << results::inspection_json(inspection) << std::endl;
  } else {
    std::cout << report::inspection_text(inspection) << "The page with charts: " << page.string() << std::endl;
  }
  problems.throw_if_any(options.questions.size() + problems.count(), "questions could not be read");
  return 0;
}

}  // namespace memlayers::cli
