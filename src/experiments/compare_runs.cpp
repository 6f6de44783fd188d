#include "experiments/compare_runs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/joined.h"
#include "base/log.h"
#include "base/output.h"
#include "base/problems.h"
#include "data/shards/prepared_data.h"
#include "evaluation/questions/asking.h"
#include "evaluation/tables/slot_counter.h"
#include "experiments/learning_curve.h"
#include "experiments/step_times.h"
#include "model/checkpoint.h"
#include "planning/count.h"
#include "training/run_lock.h"
#include "training/trainer.h"

namespace memlayers::experiments {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kExamples = 12;

/// What must be equal for an output folder to be continued: all but its place, its prose, what is only looked at, and how
/// many variants and seeds there are.
Json identity(const ComparePlan& plan) {
  Json config = base::config_to_json(plan.config);
  for (const char* key : {"title", "description", "output", "profile_steps", "baseline", "seeds", "variants"})
    config.erase(key);
  config["run"].erase("output");
  for (size_t v = 0; v < plan.runs.size(); ++v) {
    Json run = base::config_to_json(plan.runs[v]);
    run.erase("output");
    config["variant"][plan.config.variants[v].name] = std::move(run);
  }
  return config;
}

/// A stored identity with the keys that are younger than it: what their defaults do is what was done then. Lists are taken whole.
Json completed(const Json& stored) {
  Json all = identity(ComparePlan{});
  const Json run = all["run"];
  all.update(stored, /*merge_objects=*/true);
  for (auto& variant : all["variant"]) {
    Json whole = run;
    whole.update(variant, /*merge_objects=*/true);
    variant = std::move(whole);
  }
  return all;
}

/// The stored identity with what `now` adds to it: variants that are not there yet. Throws where they contradict each other.
Json joined_identity(const std::filesystem::path& path, const Json& now) {
  const Json read = Json::parse(base::read_text(path), nullptr, /*allow_exceptions=*/false);
  if (!read.is_object()) throw base::IoError(path, "is damaged; delete the folder to compare again");
  Json stored = completed(read);
  const auto take_missing = [](Json& variants, const Json& others) {
    for (const auto& [name, run] : others.items()) {
      if (!variants.contains(name)) variants[name] = run;
    }
  };
  Json all = now;
  take_missing(stored["variant"], now["variant"]);
  take_missing(all["variant"], stored["variant"]);
  const nlohmann::json before = stored.flatten(), after = all.flatten();  // whatever the order of the variants
  if (before == after) return all;
  std::string difference = "it names other keys";
  for (const auto& [key, value] : after.items()) {
    const bool known = before.contains(key);
    if (known && before[key] == value) continue;
    difference =
        base::concat(key.substr(1), " is ", value.dump(), " now and ", known ? before[key].dump() : "absent", " there");
    break;
  }
  for (const auto& [key, value] : before.items()) {
    if (!after.contains(key)) difference = base::concat(key.substr(1), " is absent now and ", value.dump(), " there");
  }
  throw base::UsageError(base::concat(path.parent_path().string(), " holds a comparison of another configuration (",
                                      difference, "); give another output=FOLDER, or delete that one"));
}

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

/// The different texts of the runs, in their order; results of before they were kept have none.
std::string different(const std::vector<results::RunResult>& runs, std::string results::RunResult::*text,
                      const char* between) {
  std::vector<std::string> seen;
  for (const results::RunResult& run : runs) {
    const std::string one = (run.*text).empty() ? "unknown" : run.*text;
    if (std::find(seen.begin(), seen.end(), one) == seen.end()) seen.push_back(one);
  }
  return base::joined(seen, between);
}

/// When the first and the last of them was finished.
std::string period(const std::vector<results::RunResult>& runs) {
  std::string first, last;  // as now_utc writes them, so that they sort
  for (const results::RunResult& run : runs) {
    if (run.date.empty()) continue;
    if (first.empty() || run.date < first) first = run.date;
    last = std::max(last, run.date);
  }
  if (first.empty()) return "unknown";
  const bool all =
      std::none_of(runs.begin(), runs.end(), [](const results::RunResult& run) { return run.date.empty(); });
  return (first == last ? first : base::concat(first, " to ", last)) + (all ? "" : ", and unknown");
}

/// Exact match to draw: -1 where no question of that wording was asked.
double recall_of(const evaluation::Score& score) { return score.questions > 0 ? score.exact_match : -1; }

/// One variant with one seed.
class Run {
 public:
  Run(const ComparePlan& plan, const CompareOptions& options, size_t variant, uint64_t seed,
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

  const std::string& name() const { return name_; }
  const std::string& variant() const { return plan_.config.variants[variant_].name; }
  std::filesystem::path answers_path() const { return folder_ / "answers.jsonl"; }

  /// The result of an earlier call; nothing when the run is not finished.
  std::optional<results::RunResult> finished() const {
    const std::filesystem::path path = folder_ / "result.json";
    if (!std::filesystem::exists(path)) return std::nullopt;
    return base::load_config<results::RunResult>(path);
  }

  /// Trains and asks. Nothing when interrupted.
  std::optional<results::RunResult> execute() {
    base::make_folder(folder_);
    LearningCurve curve(folder_);
    if (!train(curve)) return std::nullopt;

    const std::unique_ptr<model::Transformer> model = model::load_model(training::newest_checkpoint(folder_));
    const evaluation::SlotCounter counter(*model);
    std::filesystem::remove(answers_path());  // of an asking cut short: its reads were not counted
    const evaluation::Asked asked = evaluation::ask(*model, tokenizer_, questions_,
                                                    {plan_.config.max_new_tokens, 0, answers_path(), "ask " + name_});
    if (asked.interrupted) return std::nullopt;
    for (const std::string& problem : asked.problems) base::log_warning(name_ + ": " + problem);
    results::RunResult result = gather(*model, evaluation::score(questions_, asked.answers), counter, curve);
    if (options_.measure) {
      const auto measures = options_.measure(*model, config_);
      if (!measures) return std::nullopt;
      result.measures = *measures;
    }
    base::write_text_atomically(folder_ / "result.json", base::config_to_json(result).dump(1) + "\n");
    return result;
  }

 private:
  bool train(LearningCurve& curve) {
    training::TrainOptions options;
    options.resume = true;
    options.progress_title = name_;
    options.callback_every = plan_.ask_every(variant_);
    options.callback = [&](const training::StepReport& report, model::Transformer& model) {
      if (report.step < config_.steps) {
        ask_on_the_way(report, model, curve);
      } else {
        curve.add(report, -1, -1);  // the final asking fills it in
      }
    };
    return training::train(config_, options) == training::TrainEnd::kFinished && !base::interrupted();
  }

  void ask_on_the_way(const training::StepReport& report, model::Transformer& model, LearningCurve& curve) {
    const evaluation::Asked asked =
        evaluation::ask(model, tokenizer_, questions_, {plan_.config.max_new_tokens, plan_.config.ask_limit, {}, {}});
    if (base::interrupted()) return;
    const evaluation::Scores scores = evaluation::score(questions_, asked.answers);
    curve.add(report, recall_of(scores.unseen), recall_of(scores.seen));
  }

  results::RunResult gather(const model::Transformer& model, const evaluation::Scores& scores,
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
    result.curve.back().recall = recall_of(scores.unseen);
    result.curve.back().recall_seen = recall_of(scores.seen);
    set_scores(result, scores);
    result.slot_usage = counter.usage();
    result.machine = base::machine_text();
    result.commit = options_.commit;
    result.date = now_utc();
    return result;
  }

  const ComparePlan& plan_;
  const CompareOptions& options_;
  size_t variant_;
  uint64_t seed_;
  const std::vector<data::Question>& questions_;
  const text::Tokenizer& tokenizer_;
  training::TrainConfig config_;
  std::filesystem::path folder_;
  std::string name_;
};

/// Questions in unseen wordings (in seen ones where there are no others), spread over the file, with what each variant's
/// first seed said.
std::vector<results::Example> examples(const ComparePlan& plan, const std::vector<data::Question>& questions,
                                       const std::vector<results::RunResult>& runs) {
  std::vector<std::pair<std::string, std::map<int64_t, Json>>> said;  // variant, question id -> line of answers.jsonl
  for (size_t v = 0; v < plan.runs.size(); ++v) {
    const std::string& variant = plan.config.variants[v].name;
    for (const results::RunResult& run : runs) {
      if (run.variant != variant || run.seed != plan.config.seeds[0]) continue;
      auto& lines = said.emplace_back(variant, std::map<int64_t, Json>()).second;
      std::istringstream in(
          base::read_text(std::filesystem::path(plan.run_config(v, run.seed).output) / "answers.jsonl"));
      for (std::string line; std::getline(in, line);) {
        Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        if (!object.is_object() || !object.contains("id")) continue;
        const auto id = object["id"].get<int64_t>();
        lines[id] = std::move(object);
      }
    }
  }
  std::vector<const data::Question*> candidates;
  for (const data::Question& question : questions) {
    if (!question.seen_wording) candidates.push_back(&question);
  }
  if (candidates.empty()) {
    for (const data::Question& question : questions) candidates.push_back(&question);
  }
  std::vector<results::Example> result;
  const size_t count = said.empty() ? 0 : std::min(kExamples, candidates.size());
  for (size_t i = 0; i < count; ++i) {
    // The middle of each of `count` equal parts of the list.
    const data::Question& question = *candidates[(2 * i + 1) * candidates.size() / (2 * count)];
    results::Example& example = result.emplace_back();
    example.relation = question.relation;
    example.wording = question.seen_wording ? "seen" : "unseen";
    example.prompt = question.prompt;
    example.answer = question.answers[0];
    for (const auto& [variant, lines] : said) {
      const auto line = lines.find(question.id);
      if (line == lines.end()) continue;
      example.replies.push_back(
          {variant, line->second.value("text", std::string()), line->second.value("exact_match", false)});
    }
  }
  return result;
}

/// The questions of a file without its broken lines, which are named. Throws where there are none.
std::vector<data::Question> readable_questions(const std::filesystem::path& path, base::Problems& problems) {
  data::QuestionList list = data::read_question_list(path);
  for (const base::IoError& broken : list.broken) problems.add(broken.what());
  if (list.questions.empty()) problems.throw_if_any(list.broken.size(), "questions could not be read");
  base::check(!list.questions.empty(), path.string(), ": holds no questions");
  return std::move(list.questions);
}

class Comparer {
 public:
  Comparer(const ComparePlan& plan, const CompareOptions& options)
      : plan_(plan),
        options_(options),
        output_(plan.config.output),
        questions_(readable_questions(plan.questions_path(), problems_)) {
    const data::Loader loader(plan.config.run.data, "train");
    tokenizer_ = text::load_tokenizer(loader.tokenizer_folder());
    results::Comparison& comparison = outcome_.comparison;
    comparison.title = plan.config.title;
    comparison.description = plan.config.description;
    comparison.baseline = plan.config.baseline;
    comparison.command = options.command;
    for (const VariantConfig& variant : plan.config.variants) comparison.variants.push_back(variant.name);
    comparison.questions = static_cast<int64_t>(questions_.size());
    fingerprint_ = loader.fingerprint();
    set_exposures(loader);
  }

  CompareOutcome run() {
    open_output();
    for (size_t s = 0; s < plan_.config.seeds.size(); ++s) {
      for (size_t i = 0; i < plan_.runs.size(); ++i) {
        const size_t variant = s % 2 == 0 ? i : plan_.runs.size() - 1 - i;
        if (!run_one(Run(plan_, options_, variant, plan_.config.seeds[s], questions_, *tokenizer_))) {
          outcome_.end = CompareEnd::kInterrupted;
          return std::move(outcome_);
        }
      }
    }
    outcome_.not_asked = problems_.summary();
    if (!outcome_.failures.empty()) outcome_.end = CompareEnd::kSomeFailed;
    if (!profile()) outcome_.end = CompareEnd::kInterrupted;
    return std::move(outcome_);
  }

 private:
  void open_output() {
    base::make_folder(output_);
    lock_.emplace(output_);
    const std::filesystem::path path = output_ / "compare.json";
    Json now = identity(plan_);
    now["data_fingerprint"] = fingerprint_;
    now["questions_hash"] = base::hash_file(plan_.questions_path());
    if (!options_.measure_identity.empty()) now["measures"] = options_.measure_identity;
    if (std::filesystem::exists(path)) now = joined_identity(path, now);
    base::write_text_atomically(path, now.dump(1) + "\n");
  }

  /// Facts of the data and how often every run reads each: passes over its source times sentences that state it in a pass, as
  /// prepare.json says; without such numbers, the facts asked for and the passes over the first source. No exposures where
  /// runs are of different lengths, or windows crop documents.
  void set_exposures(const data::Loader& loader) {
    std::set<std::pair<std::string, std::string>> asked;
    for (const data::Question& question : questions_) asked.emplace(question.relation, question.subject);
    int64_t facts = 0;
    double sentences = 0;  // read in the run, that state a fact
    const training::TrainConfig& run = plan_.config.run;
    const int64_t tokens = run.steps * run.data.batch_size * run.data.seq_len;
    for (size_t i = 0; i < run.data.sources.size(); ++i) {
      const Json described = data::read_prepare_file(run.data.sources[i].path).value("facts", Json::object());
      const auto count = described.value("count", int64_t{0});
      facts += count;
      sentences +=
          loader.expected_passes(i, tokens) * static_cast<double>(count) * described.value("exposures_per_epoch", 1.0);
    }
    outcome_.comparison.facts = facts > 0 ? facts : static_cast<int64_t>(asked.size());
    const auto as_long = [&](const training::TrainConfig& other) { return other.steps == run.steps; };
    if (run.data.packing != "concatenate" || !std::all_of(plan_.runs.begin(), plan_.runs.end(), as_long)) return;
    outcome_.comparison.exposures =
        facts > 0 ? sentences / static_cast<double>(facts) : loader.expected_passes(0, tokens);
  }

  bool wanted(const std::string& variant) const {
    const std::vector<std::string>& only = options_.only;
    return only.empty() || std::find(only.begin(), only.end(), variant) != only.end();
  }

  /// False when interrupted.
  bool run_one(Run run) {
    std::optional<results::RunResult> result = run.finished();
    try {
      if (!result && !wanted(run.variant())) return true;
      if (!result) {
        if (base::interrupted()) return false;
        result = run.execute();
        if (!result) return false;
      }
    } catch (const std::bad_alloc&) {
      fail(run, "not enough memory");
      return true;
    } catch (const std::exception& error) {
      fail(run, error.what());
      return true;
    }
    const auto asked = static_cast<size_t>(result->seen.questions + result->unseen.questions);
    if (asked < questions_.size()) {
      problems_.add(base::concat(run.name(), ": ", questions_.size() - asked, " of ", questions_.size(),
                                 " questions could not be asked"));
    }
    outcome_.comparison.runs.push_back(std::move(*result));
    write_results();
    return true;
  }

  /// Times a few training steps of every variant. False when interrupted. A variant whose steps cannot be timed is only left
  /// out: what was trained and asked is there already.
  bool profile() {
    if (plan_.config.profile_steps == 0) return true;
    base::watch_for_interrupt();  // where every run was finished already, no training has done so
    for (size_t v = 0; v < plan_.runs.size(); ++v) {
      const std::string& variant = plan_.config.variants[v].name;
      const std::vector<results::RunResult>& runs = outcome_.comparison.runs;
      const auto run =
          std::find_if(runs.begin(), runs.end(), [&](const results::RunResult& r) { return r.variant == variant; });
      if (run == runs.end()) continue;
      try {
        const auto step = step_times(plan_.run_config(v, run->seed).output, plan_.config.profile_steps,
                                     base::concat("profile ", variant, " seed ", run->seed));
        if (!step) return false;
        outcome_.comparison.step_times.push_back({variant, run->seed, *step});
      } catch (const std::exception& error) {
        base::log_warning(base::concat(variant, " seed ", run->seed,
                                       ": the time of its steps could not be measured: ", error.what()));
      }
    }
    if (!outcome_.comparison.step_times.empty()) write_results();
    return true;
  }

  void fail(const Run& run, const std::string& reason) {
    outcome_.failures.push_back(run.name() + ": " + reason.substr(0, reason.find('\n')));
    base::log(base::LogLevel::kError, outcome_.failures.back() + " (the other runs go on)");
  }

  void write_results() {
    results::Comparison& comparison = outcome_.comparison;
    comparison.machine = different(comparison.runs, &results::RunResult::machine, "; ");
    comparison.commit = different(comparison.runs, &results::RunResult::commit, ", ");
    comparison.date = period(comparison.runs);
    comparison.examples = examples(plan_, questions_, comparison.runs);
    const std::string text = base::config_to_json(comparison).dump(1, ' ', false, Json::error_handler_t::replace);
    base::write_text_atomically(output_ / "results.json", text + "\n");
  }

  const ComparePlan& plan_;
  const CompareOptions& options_;
  std::filesystem::path output_;
  std::string fingerprint_;
  std::optional<training::RunLock> lock_;  // a second comparison on the same cores would spoil the seconds
  base::Problems problems_;                // with questions
  std::vector<data::Question> questions_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  CompareOutcome outcome_;
};

}  // namespace

CompareOutcome compare_runs(const ComparePlan& plan, const CompareOptions& options) {
  return Comparer(plan, options).run();
}

}  // namespace memlayers::experiments
