#include "training/training_run.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "planning/count.h"
#include "results/slot_usage.h"
#include "training/resume_check.h"

namespace memlayers::training {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kStateFormat = 1;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// A model's folder, or a run's newest checkpoint.
fs::path named_model(const fs::path& path) {
  base::check(fs::is_directory(path), "init_from: there is no folder ", path.string());
  if (fs::exists(path / "config.json")) return path;
  return model::require_good_checkpoint(path).folder;
}

nlohmann::json read_state(const fs::path& path) {
  try {
    auto state = nlohmann::json::parse(base::read_text(path));
    if (state.at("format").get<int64_t>() != kStateFormat) throw base::IoError(path, "is of another format version");
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw base::IoError(path, base::concat("is not a training state: ", error.what()));
  }
}

}  // namespace

TrainingRun::TrainingRun(const TrainConfig& config, const TrainOptions& options) : config_(config) {
  base::override_config(config_, {});  // a configuration made by hand is checked like one that was read
  use_threads(config_.threads);
  prepare_folder(options);
  loader_ = std::make_unique<data::Loader>(config_.data, "train");
  if (config_.validate_every > 0) validation_loader_ = std::make_unique<data::Loader>(config_.data, "validation");
  tokenizer_ = text::load_tokenizer(loader_->tokenizer_folder());
  const auto checkpoint = options.resume ? model::newest_good_checkpoint(config_.output) : std::nullopt;
  take_model_of_folder(checkpoint);
  take_vocabulary_of_data();
  runner_ = std::make_unique<StepRunner>(config_);
  if (!config_.init_from.empty() && !checkpoint) model::load_weights(model(), named_model(config_.init_from));
  if (!checkpoint) check_tables_can_learn(model(), config_.trainable);
  flops_per_token_ = planning::count_model(config_.model, config_.data.seq_len).flops_training;
  if (checkpoint) resume_from(*checkpoint);
  if (options.resume && !checkpoint) {
    base::log_info(base::concat("no checkpoint in ", config_.output, " yet: starting at step 0"));
  }
  start_folder(options);
  metrics_ = std::make_unique<MetricsWriter>(config_.output, report_.step, config_.tensorboard);
  base::write_text_atomically(fs::path(config_.output) / "config.yaml", base::config_to_yaml(config_));
}

void TrainingRun::prepare_folder(const TrainOptions& options) {
  const fs::path run = config_.output;
  base::check_output_folder(run);
  const bool holds_run = fs::exists(run / "metrics.jsonl") || !model::list_checkpoints(run).empty();
  base::check(!holds_run || options.resume || options.overwrite, "output ", config_.output,
              " already holds a run: continue it with --resume, delete it with --overwrite, or choose another "
              "output=FOLDER");
  base::make_folder(run);
  lock_.emplace(run);
  model::remove_leftovers(run);
}

// Only once everything else is known to be well: a mistyped data folder must not cost the run that is there.
void TrainingRun::start_folder(const TrainOptions& options) {
  const fs::path run = config_.output;
  std::error_code error;
  if (options.overwrite && !options.resume) {
    for (const char* name : {"checkpoints", "metrics.jsonl", "tensorboard", "config.yaml"}) {
      fs::remove_all(base::follow_links(run / name), error);
      const bool emptied = error == std::errc::device_or_resource_busy;  // a mount point, which stays
      if (error && !emptied) throw base::IoError(run / name, "cannot be deleted: " + error.message());
    }
  }
  base::make_folder(run / "checkpoints");
}

// A model section that was not given is that of the folder; one that was must not say anything else.
void TrainingRun::take_model_of_folder(const std::optional<model::RunCheckpoint>& checkpoint) {
  if (config_.init_from.empty()) return;
  const fs::path folder = checkpoint ? checkpoint->folder : named_model(config_.init_from);
  const model::ModelConfig theirs = model::load_model_config(folder / "config.json");
  model::ModelConfig usual, given = config_.model;
  usual.validate();
  if (given.vocab_size == 0) given.vocab_size = theirs.vocab_size;
  given.bos_token_id = theirs.bos_token_id;  // the data's or the folder's, no part of the model
  given.eos_token_id = theirs.eos_token_id;
  usual.bos_token_id = theirs.bos_token_id;
  usual.eos_token_id = theirs.eos_token_id;
  const auto leaves_of = [](const model::ModelConfig& config) { return base::config_to_json(config).flatten(); };
  const auto own = leaves_of(given), other = leaves_of(theirs), unset = leaves_of(usual);
  for (const auto& [key, value] : own.items()) {
    const bool said = !unset.contains(key) || unset[key] != value;
    base::check(!said || (other.contains(key) && other[key] == value), "model", key, " is ", value.dump(),
                ", but init_from ", config_.init_from, " has ", other.contains(key) ? other[key].dump() : "none",
                " there; leave the model section out, or give what the folder has");
  }
  config_.model = theirs;
  base::check(config_.data.seq_len <= theirs.max_position_embeddings, "data.seq_len ", config_.data.seq_len,
              " is longer than the max_position_embeddings ", theirs.max_position_embeddings, " of init_from ",
              config_.init_from);
  check_tokenizer_of(folder);
}

// Ids mean nothing to a model that learned others.
void TrainingRun::check_tokenizer_of(const fs::path& folder) const {
  std::shared_ptr<const text::Tokenizer> theirs;
  try {
    theirs = text::load_tokenizer(folder);
  } catch (const base::IoError&) {
    base::log_warning(folder.string() +
                      " holds no tokenizer: that the data's token ids are the model's is not checked");
    return;
  }
  base::check(theirs->identity() == tokenizer_->identity(),
              "the data was prepared with another tokenizer than the one of ", folder.string(),
              "; prepare it with tokenizer: {kind: path, path: ", folder.string(), "}");
}

void TrainingRun::take_vocabulary_of_data() {
  model::ModelConfig& model = config_.model;
  if (model.vocab_size == 0) {
    model.vocab_size = loader_->vocab_size();
    model.bos_token_id = tokenizer_->bos();
    model.eos_token_id = tokenizer_->eos();
    model.validate();
  }
  base::check(model.vocab_size >= loader_->vocab_size(), "model.vocab_size is ", model.vocab_size, " but the data has ",
              loader_->vocab_size(), " tokens: set model.vocab_size=0 to take the data's");
  base::check(model.ngrams.layers.empty() || model.bos_token_id == tokenizer_->bos(), "model.bos_token_id is ",
              model.bos_token_id, ", but the data's documents begin with ", tokenizer_->bos(),
              ": n-grams would reach from one document into the next; set model.bos_token_id=", tokenizer_->bos());
}

void TrainingRun::resume_from(const model::RunCheckpoint& checkpoint) {
  const nlohmann::json state = read_state(checkpoint.folder / "state.json");
  const std::string where = checkpoint.folder.string();
  const auto changes = changes_on_resume(state.at("config"), config_, checkpoint.step, where);
  base::check(
      state.at("fingerprint") == loader_->fingerprint(), "cannot resume from ", where,
      ": the data is not the data it was trained on (other shards in data.sources); give it back, or start a new run "
      "with another output");
  for (const std::string& change : changes) {
    const bool other_rates = change.starts_with("steps:") && config_.optimizer.schedule != Schedule::kConstant;
    base::log_info("changed since the checkpoint: " + change +
                   (other_rates ? " (from here on the rates fall as in a run of that length)" : ""));
  }
  const auto threads = state.at("threads").get<int64_t>();
  if (threads != at::get_num_threads()) {
    base::log_info(base::concat("the checkpoint was trained with ", threads, " threads and this is ",
                                at::get_num_threads(), ": sums may round differently"));
  }
  model::set_aside_checkpoints_after(config_.output, checkpoint.step);
  runner_->continue_from(checkpoint);
  loader_->set_state(state.at("loader"));
  report_.step = checkpoint.step;
  report_.tokens = state.at("tokens").get<int64_t>();
  report_.seconds = state.at("seconds").get<double>();
  report_.flops = state.at("flops").get<double>();
  report_.loss = state.at("loss").get<double>();
  const nlohmann::json& window = state.at("window");
  window_ = {window.at("loss_sum").get<double>(), window.at("seconds").get<double>(), window.at("steps").get<int64_t>(),
             window.at("tokens").get<int64_t>()};
  callback_pending = state.at("callback_pending").get<bool>();
  base::log_info(base::concat("resuming from ", where));
}

template <class Work>
auto TrainingRun::stopping(const Work& work) const {
  try {
    return work();
  } catch (const NotFinite& error) {
    const auto checkpoints = model::list_checkpoints(config_.output);
    throw base::Error(base::concat(error.what(), "; ",
                                   checkpoints.empty() ? std::string("no checkpoint was written yet")
                                                       : "the last checkpoint is " + checkpoints.back().folder.string(),
                                   ". Lower optimizer.learning_rate or optimizer.table_learning_rate or lengthen "
                                   "optimizer.warmup_steps and --resume, "
                                   "or set model.memory.qk_norm=true in a new run"));
  }
}

void TrainingRun::step() {
  const Stopwatch stopwatch;
  const StepResult result =
      stopping([&] { return runner_->run(model::batch_tensor(loader_->next(), config_.data.batch_size)); });
  report_.loss = result.loss;
  report_.grad_norm = result.norms.dense;
  report_.table_grad_norm = result.norms.tables;
  report_.learning_rate = result.learning_rate;
  report_.table_learning_rate = result.table_learning_rate;
  report_.step += 1;
  report_.tokens += tokens_of_step();
  report_.flops = flops_per_token_ * double(report_.tokens);
  const double seconds = stopwatch.seconds();
  report_.seconds += seconds;
  window_ = {window_.loss_sum + report_.loss, window_.seconds + seconds, window_.steps + 1,
             window_.tokens + tokens_of_step()};
}

void TrainingRun::prepare_to_use() {
  const Stopwatch stopwatch;
  runner_->bring_tables_up_to_date();
  report_.seconds += stopwatch.seconds();
  stopping([&] { runner_->require_finite(); });
}

double TrainingRun::validate() {
  const at::NoGradGuard no_grad;
  const nlohmann::json beginning = validation_loader_->state();
  double sum = 0;
  for (int64_t i = 0; i < config_.validation_batches; ++i) {
    sum += model().loss(model::batch_tensor(validation_loader_->next(), config_.data.batch_size)).item<double>();
  }
  validation_loader_->set_state(beginning);
  return sum / double(config_.validation_batches);
}

nlohmann::ordered_json TrainingRun::usage_json() {
  nlohmann::ordered_json tables = nlohmann::ordered_json::object();
  for (size_t t = 0; t < runner_->usage().size(); ++t) {
    TableUsage& usage = runner_->usage()[t];
    const std::span<const int64_t> reads = usage.window();
    const results::SlotUsage spread = results::usage_of(reads);
    tables[model().tables()[t].name] = {{"reads", std::accumulate(reads.begin(), reads.end(), int64_t{0})},
                                        {"used_share", spread.used_share},
                                        {"kl_to_uniform", spread.kl_to_uniform},
                                        {"top_percent_share", spread.top_percent_share},
                                        {"dead_slots", usage.dead_slots()}};
    usage.start_window();
  }
  return tables;
}

nlohmann::ordered_json TrainingRun::experts_json() const {
  nlohmann::ordered_json blocks = nlohmann::ordered_json::object();
  for (const auto& [name, use] : runner_->model().expert_use(runner_->last_pass())) {
    blocks[name] = {{"tokens", use.tokens},   {"capacity", use.capacity}, {"capacity_used", use.capacity_used()},
                    {"refused", use.refused}, {"dropped", use.dropped},   {"load", use.loads}};
  }
  return blocks;
}

void TrainingRun::write_metrics(std::optional<double> validation_loss) {
  nlohmann::ordered_json line = {{"step", report_.step}, {"tokens", report_.tokens}, {"loss", report_.loss}};
  line["mean_loss"] = window_.loss_sum / double(std::max<int64_t>(1, window_.steps));
  if (validation_loss) line["validation_loss"] = *validation_loss;
  line["grad_norm"] = report_.grad_norm;
  line["table_grad_norm"] = report_.table_grad_norm;
  line["learning_rate"] = report_.learning_rate;
  line["table_learning_rate"] = report_.table_learning_rate;
  line["tokens_per_second"] = window_.seconds > 0 ? double(window_.tokens) / window_.seconds : 0.0;
  line["seconds"] = report_.seconds;
  line["flops"] = report_.flops;
  line["resident_bytes"] = base::resident_bytes();
  line["peak_resident_bytes"] = base::peak_resident_bytes();
  if (!runner_->usage().empty()) line["tables"] = usage_json();
  if (!config_.model.experts.layers.empty()) line["experts"] = experts_json();
  metrics_->write(line);
  window_ = {};
}

nlohmann::ordered_json TrainingRun::state_json() const {
  return {{"format", kStateFormat},
          {"step", report_.step},
          {"tokens", report_.tokens},
          {"seconds", report_.seconds},
          {"flops", report_.flops},
          {"loss", report_.loss},
          {"window",
           {{"loss_sum", window_.loss_sum},
            {"seconds", window_.seconds},
            {"steps", window_.steps},
            {"tokens", window_.tokens}}},
          {"callback_pending", callback_pending},
          {"threads", at::get_num_threads()},
          {"loader", loader_->state()},
          {"fingerprint", loader_->fingerprint()},
          {"config", base::config_to_json(config_)}};
}

void TrainingRun::save() {
  prepare_to_use();
  try {
    model::write_checkpoint(config_.output, report_.step, [this](const fs::path& folder) {
      model::save_model(model(), folder);
      tokenizer_->save(folder);
      model::write_tensors(folder / "training_state.safetensors", runner_->state());
      base::write_text_atomically(folder / "state.json", state_json().dump(2) + "\n");
    });
  } catch (const base::IoError&) {
    const auto older = model::list_checkpoints(config_.output);
    base::log_warning(base::concat("the checkpoint of step ", report_.step, " could not be written; ",
                                   older.empty() ? std::string("there is no older one")
                                                 : "--resume goes on from " + older.back().folder.string()));
    throw;
  }
  model::rotate_checkpoints(config_.output, config_.keep_checkpoints);
}

}  // namespace memlayers::training
