#include "experiments/compared_run.h"

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output.h"
#include "evaluation/questions/answer_breakdown.h"
#include "evaluation/questions/answer_file.h"
#include "model/checkpoint.h"
#include "planning/count.h"
#include "training/trainer.h"

namespace memlayers::experiments {
namespace {

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

results::RelationScore relation_score(const std::string& relation, const char* wording,
                                      const evaluation::Score& score) {
  return {relation, wording, score.questions, score.exact_match, score.f1, score.nats};
}

void set_scores(results::RunResult& result, const evaluation::Scores& scores) {
  result.seen = relation_score("all", "seen", scores.seen);
  result.unseen = relation_score("all", "unseen", scores.unseen);
  for (const auto& [relation, score] : scores.seen_by_relation) {
    result.relations.push_back(relation_score(relation, "seen", score));
  }
  for (const auto& [relation, score] : scores.unseen_by_relation) {
    result.relations.push_back(relation_score(relation, "unseen", score));
  }
}

}  // namespace

ComparedRun::ComparedRun(const ComparePlan& plan, const CompareOptions& options, size_t variant, uint64_t seed,
                         const std::vector<data::Question>& questions, const text::Tokenizer& tokenizer)
    : plan_(plan),
      options_(options),
      variant_(variant),
      seed_(seed),
      questions_(questions),
      tokenizer_(tokenizer),
      config_(plan.run_config(variant, seed)),
      folder_(config_.output),
      name_(base::concat(plan.config.variants[variant].name, " seed ", seed)) {}

std::optional<results::RunResult> ComparedRun::finished() const {
  const std::filesystem::path path = folder_ / "result.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  auto result = base::load_config<results::RunResult>(path);
  const std::filesystem::path answers = folder_ / "answers.jsonl";
  // A run of a program that did not break answers down yet.
  if (result.answers.lengths.empty() && std::filesystem::exists(answers))
    result.answers = evaluation::break_down(tokenizer_, questions_, evaluation::read_answers(answers));
  return result;
}

std::optional<results::RunResult> ComparedRun::execute(
    const std::function<void(const training::StepReport&)>& after_step) {
  base::make_folder(folder_);
  LearningCurve curve(folder_);
  if (!train(curve, after_step)) return std::nullopt;

  const std::unique_ptr<model::Transformer> model = model::load_model(training::newest_checkpoint(folder_));
  const evaluation::SlotCounter counter(*model);
  std::filesystem::remove(folder_ / "answers.jsonl");  // of an asking cut short: its reads were not counted
  const evaluation::Asked asked = evaluation::ask(
      *model, tokenizer_, questions_, {plan_.config.max_new_tokens, 0, folder_ / "answers.jsonl", "ask " + name_});
  if (asked.interrupted) return std::nullopt;
  for (const std::string& problem : asked.problems) base::log_warning(name_ + ": " + problem);
  results::RunResult result = gather(*model, evaluation::score(questions_, asked.answers), counter, curve);
  result.answers = evaluation::break_down(tokenizer_, questions_, evaluation::read_answers(folder_ / "answers.jsonl"));
  if (options_.measure) {
    const auto measures = options_.measure(*model, config_);
    if (!measures) return std::nullopt;
    result.measures = *measures;
  }
  base::write_text_atomically(folder_ / "result.json", base::config_to_json(result).dump(1) + "\n");
  return result;
}

bool ComparedRun::train(LearningCurve& curve, const std::function<void(const training::StepReport&)>& after_step) {
  training::TrainOptions options;
  options.after_step = after_step;
  options.resume = true;
  options.progress_title = name_;
  options.callback_every = plan_.ask_every(variant_);
  options.callback = [&](const training::StepReport& report, model::Transformer& model) {
    if (report.step < config_.steps) {
      ask_on_the_way(report, model, curve);
    } else {
      curve.add(report, std::nullopt);  // the final asking fills it in
    }
  };
  return training::train(config_, options) == training::TrainEnd::kFinished && !base::interrupted();
}

void ComparedRun::ask_on_the_way(const training::StepReport& report, model::Transformer& model, LearningCurve& curve) {
  const evaluation::Asked asked =
      evaluation::ask(model, tokenizer_, questions_, {plan_.config.max_new_tokens, plan_.config.ask_limit, {}, {}});
  if (base::interrupted()) return;
  const evaluation::Scores scores = evaluation::score(questions_, asked.answers);
  curve.add(report, scores);
}

results::RunResult ComparedRun::gather(const model::Transformer& model, const evaluation::Scores& scores,
                                       const evaluation::SlotCounter& counter, const LearningCurve& curve) const {
  if (!std::isfinite(scores.seen.nats + scores.unseen.nats))
    throw base::Error("the model's probabilities are not finite");
  const results::CurvePoint* end = curve.last();
  if (end == nullptr || end->step != config_.steps) {
    throw base::Error(folder_.string() + ": its recall.jsonl lacks the last step; delete the folder to run it again");
  }
  results::RunResult result;
  result.variant = plan_.config.variants[variant_].name;
  result.seed = seed_;
  const planning::ModelCount count = planning::count_model(model.config(), config_.data.seq_len);
  result.parameters = count.total + count.norms;
  result.table_parameters = count.tables + count.ngram_tables;
  result.flops_per_token = count.flops_training;
  result.tokens_per_second = end->seconds > 0 ? static_cast<double>(end->tokens) / end->seconds : 0;
  result.curve = curve.points();
  set_scores(result.curve.back(), scores);
  set_scores(result, scores);
  result.slot_usage = counter.usage();
  result.machine = base::machine_text();
  result.commit = options_.commit;
  result.date = now_utc();
  return result;
}

}  // namespace memlayers::experiments
