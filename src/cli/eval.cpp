// memlayers eval: asks a trained model closed-book questions.
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/interrupt.h"
#include "base/output.h"
#include "base/problems.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "evaluation/questions/asking.h"
#include "generation/loaded_model.h"
#include "report/page/text_table.h"
#include "results/number_text.h"

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;
using evaluation::Score;
using evaluation::Scores;
using Json = nlohmann::ordered_json;

constexpr const char* kNotAsked = "questions could not be asked";

fs::path questions_file(const fs::path& named) { return fs::is_directory(named) ? named / "questions.jsonl" : named; }

/// Before a model is loaded. The folder above may be missing: then it is made.
void check_answers_file(const fs::path& path) {
  if (path.has_parent_path() && !fs::exists(path.parent_path())) {
    base::check_output_folder(path.parent_path());
  } else {
    base::check_output_file(path);
  }
}

/// Rows of (relation, wording, score): all of a wording first, then relation by relation.
struct Row {
  std::string relation, wording;
  Score score;
};

std::vector<Row> rows(const Scores& scores) {
  std::vector<Row> rows;
  if (scores.unseen.questions > 0) rows.push_back({"all", "unseen", scores.unseen});
  if (scores.seen.questions > 0) rows.push_back({"all", "seen", scores.seen});
  for (const auto& [relation, score] : scores.unseen_by_relation) rows.push_back({relation, "unseen", score});
  for (const auto& [relation, score] : scores.seen_by_relation) rows.push_back({relation, "seen", score});
  return rows;
}

void print_table(const std::vector<Row>& table) {
  std::vector<std::vector<std::string>> cells{
      {"relation", "wording", "questions", "exact match", "F1", "nats per answer"}};
  for (const Row& row : table) {
    cells.push_back({report::printable(row.relation), row.wording, std::to_string(row.score.questions),
                     results::percent_text(row.score.exact_match), results::percent_text(row.score.f1),
                     results::decimal_text(row.score.nats, 2)});
  }
  std::cout << report::aligned_rows(cells, "", 2) << std::flush;
}

Json json_of(const Row& row) {
  return {{"relation", row.relation},
          {"wording", row.wording},
          {"questions", row.score.questions},
          {"exact_match", row.score.exact_match},
          {"f1", row.score.f1},
          {"nats", row.score.nats}};
}

void print_json(const fs::path& model, const fs::path& questions, const std::vector<Row>& table, size_t not_asked) {
  Json scores = Json::array();
  for (const Row& row : table) scores.push_back(json_of(row));
  Json all = {{"model", model.string()}, {"questions", questions.string()}, {"scores", scores}};
  if (not_asked > 0) all["not_asked"] = not_asked;
  std::cout << all.dump() << std::endl;
}

}  // namespace

int run_eval(int argc, char** argv) {
  CLI::App app(
      "Asks a trained model closed-book questions and counts right answers, by relation and by whether the wording of\n"
      "the question was trained on. Answers: exact match and F1 after SQuAD's normalization; nats: how unlikely the\n"
      "model finds the right answer (lower is better). A question that cannot be asked (a broken line, too long) is\n"
      "named, the others are asked, and the exit status is 1.",
      "memlayers eval");
  std::string model, questions_name, output;
  evaluation::AskOptions options;
  bool json = false;
  app.add_option("MODEL", model, "a checkpoint, or the output folder of a run (its newest checkpoint)")->required();
  app.add_option("--questions", questions_name, "JSONL file of {prompt, answers, ...}, or a prepared folder with one")
      ->required();
  app.add_option("--output", output,
                 "write every answer here as JSON lines; asking again continues an interrupted file");
  app.add_option("--limit", options.limit, "ask only so many questions, spread evenly; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-new-tokens", options.max_new_tokens, "tokens an answer may take")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--dtype", options.dtype, "compute in this; auto: bfloat16 where the processor multiplies it natively")
      ->capture_default_str()
      ->check(CLI::IsMember(base::enum_choices<model::ComputeDtype>()));
  app.add_flag("--json", json, "print one JSON object instead of a table");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  if (!output.empty()) check_answers_file(output);
  const fs::path file = questions_file(questions_name);
  base::Problems problems;
  const std::vector<data::Question> questions = data::readable_questions(file, problems);
  if (questions.empty()) problems.throw_if_any(problems.count(), kNotAsked);
  base::check(!questions.empty(), file.string(), ": holds no questions");

  const auto dtype = base::enum_named<model::ComputeDtype>(options.dtype).value();
  const generation::LoadedModel loaded = generation::load_named_model(model, dtype);
  options.dtype = model::resolved_name(dtype);
  options.resume_file = output;
  options.progress_title = "ask";
  const evaluation::Asked asked = evaluation::ask(*loaded.model, *loaded.tokenizer, questions, options);
  for (const std::string& problem : asked.problems) problems.add(file.string() + ": " + problem);
  if (asked.interrupted) {
    std::cerr << "interrupted after " << asked.answers.size() << " questions"
              << (output.empty() ? " (with --output FILE they would be kept)" : "; the same command continues")
              << std::endl;
    return 0;
  }
  const std::vector<Row> table = rows(evaluation::score(questions, asked.answers));
  if (json) {
    print_json(loaded.folder, file, table, problems.count());
  } else {
    print_table(table);
  }
  problems.throw_if_any(problems.count() + asked.answers.size(), kNotAsked);
  return 0;
}

}  // namespace memlayers::cli
