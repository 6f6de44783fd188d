#include "experiments/compare_runs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output.h"
#include "base/problems.h"
#include "data/shards/prepared_data.h"
#include "evaluation/questions/answer_file.h"
#include "experiments/cell_processes.h"
#include "experiments/compared_run.h"
#include "experiments/comparison_identity.h"
#include "experiments/step_times.h"
#include "experiments/time_left.h"
#include "planning/count.h"
#include "training/run_lock.h"

namespace memlayers::experiments {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kExamples = 12;

using Said = std::vector<std::pair<std::string, std::map<int64_t, evaluation::Answer>>>;  // by variant and question id

/// What each variant's first seed said.
Said first_answers(const ComparePlan& plan, const std::vector<results::RunResult>& runs) {
  Said said;
  for (size_t v = 0; v < plan.runs.size(); ++v) {
    const std::string& variant = plan.config.variants[v].name;
    for (const results::RunResult& run : runs) {
      if (run.variant != variant || run.seed != plan.config.seeds[0]) continue;
      const std::filesystem::path folder = plan.run_config(v, run.seed).output;
      said.emplace_back(variant, evaluation::read_answers(folder / "answers.jsonl"));
    }
  }
  return said;
}

results::Example example_of(const data::Question& question, const Said& said) {
  results::Example example{
      question.relation, question.seen_wording ? "seen" : "unseen", question.prompt, question.answers[0], {}};
  for (const auto& [variant, answers] : said) {
    const auto answer = answers.find(question.id);
    if (answer == answers.end()) continue;
    example.replies.push_back({variant, answer->second.text, answer->second.exact_match});
  }
  return example;
}

/// Questions in unseen wordings (in seen ones where there are no others), spread over the file.
std::vector<results::Example> examples(const std::vector<data::Question>& questions, const Said& said) {
  std::vector<const data::Question*> candidates;
  for (const bool seen : {false, true}) {
    for (const data::Question& question : questions) {
      if (question.seen_wording == seen) candidates.push_back(&question);
    }
    if (!candidates.empty()) break;
  }
  std::vector<results::Example> result;
  const size_t count = said.empty() ? 0 : std::min(kExamples, candidates.size());
  for (size_t i = 0; i < count; ++i) {
    // The middle of each of `count` equal parts of the list.
    result.push_back(example_of(*candidates[(2 * i + 1) * candidates.size() / (2 * count)], said));
  }
  return result;
}

/// The questions of a file without its broken lines, which are named. Throws where there are none.
std::vector<data::Question> questions_to_ask(const std::filesystem::path& path, base::Problems& problems) {
  std::vector<data::Question> questions = data::readable_questions(path, problems);
  if (questions.empty()) problems.throw_if_any(problems.count(), "questions could not be read");
  base::check(!questions.empty(), path.string(), ": holds no questions");
  return questions;
}

class Comparer {
 public:
  Comparer(const ComparePlan& plan, const CompareOptions& options)
      : plan_(plan),
        options_(options),
        output_(plan.config.output),
        questions_(questions_to_ask(plan.questions_path(), problems_)) {
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
    list_cells();
    if (cells_to_run() > 0) base::log_info(left_text(cells_, 0, options_.jobs));
    if (!(options_.jobs > 1 ? run_side_by_side() : run_in_turn())) {
      outcome_.end = CompareEnd::kInterrupted;
      return std::move(outcome_);
    }
    outcome_.not_asked = problems_.summary();
    if (!outcome_.failures.empty()) outcome_.end = CompareEnd::kSomeFailed;
    if (!profile()) outcome_.end = CompareEnd::kInterrupted;
    return std::move(outcome_);
  }

  /// Runs one cell for another process, which holds the output folder.
  CompareEnd run_cell(const std::string& name) {
    base::watch_for_interrupt();
    list_cells();
    const auto run =
        std::find_if(runs_.begin(), runs_.end(), [&](const ComparedRun& r) { return r.folder_name() == name; });
    base::check(run != runs_.end(), "--cell: there is no cell '", name, "'");
    return run->execute({}) ? CompareEnd::kFinished : CompareEnd::kInterrupted;
  }

 private:
  /// False when interrupted.
  bool run_in_turn() {
    for (size_t c = 0; c < cells_.size(); ++c) {
      if (!run_one(c)) return false;
    }
    return true;
  }

  /// False when interrupted.
  bool run_side_by_side() {
    base::watch_for_interrupt();
    CellProcesses processes(options_.jobs);
    for (size_t next = 0;;) {
      for (; !processes.full() && next < cells_.size() && !base::interrupted(); ++next) {
        if (finished_[next]) {
          keep(next, std::move(*finished_[next]));
        } else {
          base::log_info(base::concat(runs_[next].name(), " begins; its log: ", runs_[next].log().string()));
          begun_[next] = std::chrono::steady_clock::now();
          processes.start(next, cell_command(next), runs_[next].log());
        }
      }
      if (processes.empty()) break;
      const CellProcesses::Ended ended = processes.wait();
      gather(ended.cell, ended.status);
    }
    return cells_to_run() == 0;
  }

  std::vector<std::string> cell_command(size_t c) const {
    std::vector<std::string> command = options_.cell_command;
    command.push_back(runs_[c].folder_name());
    return command;
  }

  /// What a cell's process left: its result, or nothing where it was asked to stop.
  void gather(size_t c, int status) {
    std::optional<results::RunResult> result;
    try {
      result = runs_[c].finished();
      if (!result && base::interrupted()) return;
      if (!result) fail(runs_[c], failure_text(status, runs_[c].log()));
    } catch (const std::exception& error) {
      fail(runs_[c], error.what());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun_[c];
    if (result) cells_[c].seconds = std::max(took.count(), training_seconds(*result));
    cells_[c].left = false;
    if (result) keep(c, std::move(*result));
    if (cells_to_run() > 0) base::log_info(left_text(cells_, 0, options_.jobs));
  }

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

  /// Facts of the data and how often every run reads each: passes over its source times sentences that state it in a
  /// pass, as prepare.json says; without such numbers, the facts asked for and the passes over the first source. No
  /// exposures where runs are of different lengths, or windows crop documents.
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

  /// The cells that are finished or to be run, in the order in which they are.
  void list_cells() {
    for (size_t s = 0; s < plan_.config.seeds.size(); ++s) {
      for (size_t i = 0; i < plan_.runs.size(); ++i) {
        const size_t variant = s % 2 == 0 ? i : plan_.runs.size() - 1 - i;
        const std::vector<uint64_t> seeds = plan_.seeds_of(variant);
        if (std::find(seeds.begin(), seeds.end(), plan_.config.seeds[s]) == seeds.end()) continue;
        ComparedRun run(plan_, options_, variant, plan_.config.seeds[s], questions_, *tokenizer_);
        std::optional<results::RunResult> finished = run.finished();
        if (!finished && !wanted(run.variant())) continue;
        Cell& cell = cells_.emplace_back(Cell{run.variant(), planned_flops(run.config())});
        if (finished) cell.left = false;
        // What another machine took says nothing of this one.
        if (finished && finished->machine == base::machine_text()) cell.seconds = training_seconds(*finished);
        runs_.push_back(std::move(run));
        finished_.push_back(std::move(finished));
      }
    }
    begun_.resize(cells_.size());
  }

  int64_t cells_to_run() const {
    return std::count_if(cells_.begin(), cells_.end(), [](const Cell& cell) { return cell.left; });
  }

  /// 0 for a model that cannot be: its cell fails at once.
  double planned_flops(const training::TrainConfig& run) const {
    model::ModelConfig model = run.model;
    if (model.vocab_size == 0) model.vocab_size = tokenizer_->vocab_size();
    try {
      return planning::count_model(model, run.data.seq_len).flops_training *
             static_cast<double>(run.steps * run.data.batch_size * run.data.seq_len);
    } catch (const base::UsageError&) {
      return 0;
    }
  }

  static double training_seconds(const results::RunResult& result) {
    return result.curve.empty() ? 0 : result.curve.back().seconds;
  }

  /// Says once, some way into the first cell, what the rest takes at its pace.
  std::function<void(const training::StepReport&)> teller_of_pace() {
    constexpr double kSecondsOfPace = 20;
    if (pace_is_told_ || seconds_left(cells_)) return {};
    return [this](const training::StepReport& report) {
      if (pace_is_told_ || report.seconds < kSecondsOfPace || report.flops <= 0) return;
      pace_is_told_ = true;
      base::log_info(base::concat(left_text(cells_, report.seconds / report.flops), " at the pace of the first steps"));
    };
  }

  /// Runs it and notes how long it took. Nothing when interrupted.
  std::optional<results::RunResult> executed(size_t c) {
    const auto begin = std::chrono::steady_clock::now();
    std::optional<results::RunResult> result = runs_[c].execute(teller_of_pace());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    // One that went on where an earlier call stopped took longer than this call's part.
    if (result) cells_[c].seconds = std::max(took.count(), training_seconds(*result));
    return result;
  }

  /// False when interrupted.
  bool run_one(size_t c) {
    const ComparedRun& run = runs_[c];
    std::optional<results::RunResult> result = std::move(finished_[c]);
    const bool to_be_run = !result;
    try {
      if (to_be_run) {
        if (base::interrupted()) return false;
        result = executed(c);
        if (!result) return false;
      }
    } catch (const std::bad_alloc&) {
      fail(run, "not enough memory");
    } catch (const std::exception& error) {
      fail(run, error.what());
    }
    if (result) keep(c, std::move(*result));
    cells_[c].left = false;
    if (to_be_run && cells_to_run() > 0) base::log_info(left_text(cells_));
    return true;
  }

  void keep(size_t c, results::RunResult result) {
    const auto asked = static_cast<size_t>(result.seen.questions + result.unseen.questions);
    if (asked < questions_.size()) {
      problems_.add(base::concat(runs_[c].name(), ": ", questions_.size() - asked, " of ", questions_.size(),
                                 " questions could not be asked"));
    }
    // In the order of the cells, whichever ends first.
    const auto place = std::lower_bound(kept_.begin(), kept_.end(), c);
    std::vector<results::RunResult>& runs = outcome_.comparison.runs;
    runs.insert(runs.begin() + (place - kept_.begin()), std::move(result));
    kept_.insert(place, c);
    cells_[c].left = false;
    write_results();
  }

  /// Times a few training steps of every variant. False when interrupted. A variant whose steps cannot be timed is only
  /// left out: what was trained and asked is there already.
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

  void fail(const ComparedRun& run, const std::string& reason) {
    outcome_.failures.push_back(run.name() + ": " + reason.substr(0, reason.find('\n')));
    base::log(base::LogLevel::kError, outcome_.failures.back() + " (the other runs go on)");
  }

  void write_results() {
    results::Comparison& comparison = outcome_.comparison;
    set_origin(comparison);
    comparison.examples = examples(questions_, first_answers(plan_, comparison.runs));
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
  std::vector<Cell> cells_;
  std::vector<ComparedRun> runs_;                             // one a cell
  std::vector<std::optional<results::RunResult>> finished_;   // one a cell: what an earlier call left
  std::vector<std::chrono::steady_clock::time_point> begun_;  // one a cell, where they run side by side
  std::vector<size_t> kept_;                                  // cells whose results are in outcome_, rising
  bool pace_is_told_ = false;
  CompareOutcome outcome_;
};

}  // namespace

CompareOutcome compare_runs(const ComparePlan& plan, const CompareOptions& options) {
  Comparer comparer(plan, options);
  if (options.cell.empty()) return comparer.run();
  CompareOutcome outcome;
  outcome.end = comparer.run_cell(options.cell);
  return outcome;
}

}  // namespace memlayers::experiments
