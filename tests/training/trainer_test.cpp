// Whole runs of a tiny model: what they write, that they resume bit for bit, and what is refused.
#include "training/trainer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/safetensors/safetensors.h"
#include "model/checkpoint.h"
#include "model/run_checkpoint.h"
#include "support/memory_fixture.h"
#include "support/tiny_run.h"
#include "support/usage_error.h"
#include "training/resume_check.h"
#include "training/step_runner.h"

namespace memlayers::training {
namespace {

namespace fs = std::filesystem;
using tests::TemporaryFolder;

class Trainer : public ::testing::Test {
 protected:
  Trainer() {
    setenv("MEMLAYERS_LOG", "error", 0);
    tests::write_tiny_data(data());
  }
  ~Trainer() override {
    base::set_interrupted(false);
    unsetenv("MEMLAYERS_FAIL_WRITES_AFTER");
  }

  fs::path data() const { return folder_.path() / "data"; }
  fs::path run(const std::string& name) const { return folder_.path() / name; }
  TrainConfig config(const std::string& name) const { return tests::tiny_run(data(), run(name)); }

  TemporaryFolder folder_;
};

/// Lines of metrics.jsonl without what depends on the clock and the machine.
std::vector<nlohmann::json> metrics(const fs::path& run) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string text; std::getline(file, text);) {
    auto line = nlohmann::json::parse(text);
    for (const char* key : {"seconds", "tokens_per_second", "resident_bytes", "peak_resident_bytes"}) line.erase(key);
    lines.push_back(line);
  }
  return lines;
}

std::vector<int64_t> checkpoint_steps(const fs::path& run) {
  std::vector<int64_t> steps;
  for (const auto& checkpoint : model::list_checkpoints(run)) steps.push_back(checkpoint.step);
  return steps;
}

void expect_same_end(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(metrics(a), metrics(b));
  for (const char* name : {"model.safetensors", "training_state.safetensors", "config.json"}) {
    EXPECT_TRUE(base::read_text(newest_checkpoint(a) / name) == base::read_text(newest_checkpoint(b) / name))
        << name << " differs";
  }
}

/// Stops as a signal would after `step` and leaves the flag cleared.
void train_until(const TrainConfig& config, int64_t step, bool resume = false) {
  TrainOptions options;
  options.resume = resume;
  options.callback_every = 1;
  options.callback = [&](const StepReport& report, model::Transformer&) { base::set_interrupted(report.step >= step); };
  ASSERT_EQ(train(config, options), TrainEnd::kInterrupted);
  base::set_interrupted(false);
}

TrainEnd resume(const TrainConfig& config) {
  TrainOptions options;
  options.resume = true;
  return train(config, options);
}

std::string refusal(const TrainConfig& config, const TrainOptions& options) {
  try {
    train(config, options);
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "";
}

std::string refusal_to_resume(const TrainConfig& config) {
  TrainOptions options;
  options.resume = true;
  return refusal(config, options);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(Trainer, ReportsEachStepBeforeItsCallback) {
  TrainOptions options;
  std::vector<std::pair<std::string, int64_t>> calls;
  options.after_step = [&](const StepReport& report) { calls.emplace_back("step", report.step); };
  options.callback_every = 6;
  options.callback = [&](const StepReport& report, model::Transformer&) {
    calls.emplace_back("callback", report.step);
  };
  EXPECT_EQ(train(config("run"), options), TrainEnd::kFinished);
  ASSERT_EQ(calls.size(), 8u + 2u);
  EXPECT_EQ(calls[0], (std::pair<std::string, int64_t>{"step", 1}));
  EXPECT_EQ(calls[5], (std::pair<std::string, int64_t>{"step", 6}));
  EXPECT_EQ(calls[6], (std::pair<std::string, int64_t>{"callback", 6}));
  EXPECT_EQ(calls[9], (std::pair<std::string, int64_t>{"callback", 8}));
}

TEST_F(Trainer, WritesMetricsCheckpointsAndTheResolvedConfiguration) {
  TrainConfig c = config("run");
  c.validate_every = 4;
  c.validation_batches = 2;
  c.tensorboard = true;
  EXPECT_EQ(train(c, {}), TrainEnd::kFinished);
  EXPECT_EQ(checkpoint_steps(run("run")), (std::vector<int64_t>{3, 6, 8}));
  const auto lines = metrics(run("run"));
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[0]["learning_rate"], 0.0);
  EXPECT_EQ(lines[2]["learning_rate"], 3e-3);
  EXPECT_EQ(lines[2]["table_learning_rate"], 3e-2);
  EXPECT_EQ(lines[7]["step"], 8);
  EXPECT_EQ(lines[7]["tokens"], 8 * 4 * 16);
  EXPECT_LT(lines[7]["loss"].get<double>(), lines[0]["loss"].get<double>());
  EXPECT_EQ(lines[7]["mean_loss"], lines[7]["loss"]);
  EXPECT_TRUE(lines[3].contains("validation_loss") && lines[7].contains("validation_loss"));
  EXPECT_FALSE(lines[4].contains("validation_loss"));
  EXPECT_GT(lines[5]["grad_norm"].get<double>(), 0);
  EXPECT_GT(lines[5]["table_grad_norm"].get<double>(), 0);
  const auto& table = lines[5]["tables"]["model.memory_tables.0.weight"];
  EXPECT_EQ(table["reads"], 4 * 16 * 2 * (4 + 1));  // tokens * heads * (k + random_reads)
  EXPECT_GT(table["used_share"].get<double>(), 0);
  EXPECT_LE(table["dead_slots"].get<int64_t>(), 64);
  EXPECT_EQ(base::load_config<TrainConfig>(run("run") / "config.yaml").model.vocab_size, 259);
  EXPECT_FALSE(fs::is_empty(run("run") / "tensorboard"));
}

TEST_F(Trainer, CheckpointIsAModelFolderWithItsTokenizer) {
  train(config("run"), {});
  const fs::path checkpoint = newest_checkpoint(run("run"));
  EXPECT_EQ(checkpoint.filename(), "step-00000008");
  const auto model = model::load_model(checkpoint);
  EXPECT_EQ(model->config().vocab_size, 259);
  EXPECT_EQ(text::load_tokenizer(checkpoint)->kind(), "bytes");
}

TEST_F(Trainer, ResumesBitForBitAfterASignal) {
  train(config("whole"), {});
  train_until(config("parts"), 4);
  EXPECT_EQ(checkpoint_steps(run("parts")), (std::vector<int64_t>{3, 4}));
  train_until(config("parts"), 5, /*resume=*/true);
  EXPECT_EQ(resume(config("parts")), TrainEnd::kFinished);
  expect_same_end(run("whole"), run("parts"));
}

TEST_F(Trainer, ResumesBitForBitWithMicroBatchesAndMetricsWindows) {
  TrainConfig whole = config("whole"), parts = config("parts");
  for (TrainConfig* c : {&whole, &parts}) {
    c->micro_batches = 2;
    c->log_every = 3;  // the stop falls within a window
    c->steps = 9;
    c->data.packing = "whole";
    c->model.memory.query_batch_norm = true;
  }
  train(whole, {});
  train_until(parts, 5);
  EXPECT_EQ(resume(parts), TrainEnd::kFinished);
  expect_same_end(run("whole"), run("parts"));
}

TEST_F(Trainer, ResumesFromAnOlderCheckpointWhenTheNewestIsDamaged) {
  train(config("whole"), {});
  train_until(config("parts"), 7);
  const fs::path damaged = newest_checkpoint(run("parts")) / "model.safetensors";
  std::fstream(damaged, std::ios::in | std::ios::out | std::ios::binary).seekp(2000).put('!');
  EXPECT_TRUE(contains(model::damage_of(damaged.parent_path()).value_or(""), "model.safetensors"));
  EXPECT_EQ(newest_checkpoint(run("parts")).filename(), "step-00000006");
  EXPECT_EQ(resume(config("parts")), TrainEnd::kFinished);
  EXPECT_EQ(checkpoint_steps(run("parts")), (std::vector<int64_t>{3, 6, 8}));
  EXPECT_TRUE(fs::exists(run("parts") / "checkpoints" / "step-00000007.damaged"));
  expect_same_end(run("whole"), run("parts"));
}

TEST_F(Trainer, RefusesToResumeWhenEveryCheckpointIsDamaged) {
  train_until(config("run"), 2);
  fs::resize_file(newest_checkpoint(run("run")) / "training_state.safetensors", 100);
  try {
    resume(config("run"));
    FAIL() << "resumed from a truncated file";
  } catch (const base::IoError& error) {
    EXPECT_TRUE(contains(error.what(), "training_state.safetensors: has 100 bytes instead of")) << error.what();
  }
}

TEST_F(Trainer, ResumeWithoutACheckpointStartsFromTheBeginning) {
  EXPECT_EQ(resume(config("run")), TrainEnd::kFinished);
  EXPECT_EQ(metrics(run("run")).size(), 8u);
}

TEST_F(Trainer, ResumeOfAFinishedRunDoesNothing) {
  train(config("run"), {});
  const auto before = metrics(run("run"));
  EXPECT_EQ(resume(config("run")), TrainEnd::kFinished);
  EXPECT_EQ(metrics(run("run")), before);
}

TEST_F(Trainer, KeepsOnlyTheNewestCheckpoints) {
  TrainConfig c = config("run");
  c.checkpoint_every = 1;
  c.keep_checkpoints = 2;
  train(c, {});
  EXPECT_EQ(checkpoint_steps(run("run")), (std::vector<int64_t>{7, 8}));
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(run("run") / "checkpoints")) ++entries;
  EXPECT_EQ(entries, 2u) << "something was left behind";
}

TEST_F(Trainer, RefusesAFolderThatHoldsARun) {
  train(config("run"), {});
  EXPECT_TRUE(contains(refusal(config("run"), {}), "already holds a run: continue it with --resume"));
  TrainOptions options;
  options.overwrite = true;
  EXPECT_EQ(train(config("run"), options), TrainEnd::kFinished);
  EXPECT_EQ(metrics(run("run")).size(), 8u);
}

TEST_F(Trainer, RefusesToResumeWithAnotherModelDataOrSeed) {
  train_until(config("run"), 4);
  TrainConfig c = config("run");
  c.model.hidden_size = 32;
  EXPECT_TRUE(contains(refusal_to_resume(c), "model.hidden_size: 16 -> 32")) << refusal_to_resume(c);
  c = config("run");
  c.seed = 9;
  EXPECT_TRUE(contains(refusal_to_resume(c), "seed: 1 -> 9"));
  c = config("run");
  c.data.seq_len = 8;
  EXPECT_TRUE(contains(refusal_to_resume(c), "data.seq_len: 16 -> 8"));
  c = config("run");
  c.optimizer.table_optimizer = ops::RowOptimizer::kLazy;
  EXPECT_TRUE(contains(refusal_to_resume(c), "optimizer.table_optimizer"));
  c = config("run");
  c.steps = 3;
  EXPECT_TRUE(contains(refusal_to_resume(c), "4 steps are done and steps is 3"));
  c = config("run");
  tests::write_tiny_data(folder_.path() / "other", /*variant=*/5);
  c.data.sources[0].path = (folder_.path() / "other").string();
  EXPECT_TRUE(contains(refusal_to_resume(c), "the data is not the data it was trained on"));
  EXPECT_EQ(checkpoint_steps(run("run")), (std::vector<int64_t>{3, 4})) << "a refusal must not touch the checkpoints";
}

TEST_F(Trainer, ResumesWithMoreStepsAndMovedData) {
  train(config("run"), {});
  fs::rename(data(), folder_.path() / "moved");
  TrainConfig c = config("run");
  c.data.sources[0].path = (folder_.path() / "moved").string();
  c.steps = 10;
  EXPECT_EQ(resume(c), TrainEnd::kFinished);
  EXPECT_EQ(metrics(run("run")).size(), 10u);
}

TEST_F(Trainer, FullDiskLosesNothing) {
  TrainConfig c = config("run");
  TrainOptions options;
  options.callback_every = 5;
  options.callback = [](const StepReport&, model::Transformer&) { setenv("MEMLAYERS_FAIL_WRITES_AFTER", "30000", 1); };
  try {
    train(c, options);
    FAIL() << "a checkpoint was written to a full disk";
  } catch (const base::IoError& error) {
    EXPECT_TRUE(contains(error.path().string(), "step-00000006")) << error.what();
    EXPECT_TRUE(contains(error.what(), "No space left")) << error.what();
  }
  unsetenv("MEMLAYERS_FAIL_WRITES_AFTER");
  EXPECT_EQ(checkpoint_steps(run("run")), (std::vector<int64_t>{3}));
  EXPECT_EQ(model::damage_of(newest_checkpoint(run("run"))), std::nullopt);
  EXPECT_EQ(std::distance(fs::directory_iterator(run("run") / "checkpoints"), {}), 1)
      << "the temporary folder was left";
  EXPECT_EQ(resume(c), TrainEnd::kFinished);
  train(config("whole"), {});
  expect_same_end(run("whole"), run("run"));
}

TEST_F(Trainer, StopsWhenTheLossIsNotFiniteAndKeepsTheLastGoodCheckpoint) {
  TrainConfig c = config("run");
  TrainOptions options;
  options.callback_every = 4;
  options.callback = [](const StepReport& report, model::Transformer& model) {
    if (report.step == 4) model.parameters()[0].tensor->detach().fill_(std::numeric_limits<float>::quiet_NaN());
  };
  try {
    train(c, options);
    FAIL() << "trained on with a loss that is not a number";
  } catch (const base::Error& error) {
    EXPECT_TRUE(contains(error.what(), "training stopped at step 5: the loss is nan")) << error.what();
    EXPECT_TRUE(contains(error.what(), "step-00000003")) << error.what();
  }
  EXPECT_EQ(checkpoint_steps(run("run")), (std::vector<int64_t>{3}));
}

std::string failure(const TrainConfig& config, const TrainOptions& options) {
  try {
    train(config, options);
  } catch (const base::UsageError& error) {
    return base::concat("a usage error: ", error.what());
  } catch (const base::Error& error) {
    return error.what();
  }
  return "";
}

void spoil(const at::Tensor& tensor, double value) { tensor.detach().view(-1)[tensor.numel() / 2].fill_(value); }

// As a rate that is far too high leaves them, at the last step, at a checkpoint and when a signal comes right after the
// step.
TEST_F(Trainer, WritesNoCheckpointOfWeightsThatAreNotFinite) {
  for (const int64_t steps : {1, 8}) {
    const std::string name = base::concat("run", steps);
    TrainConfig c = config(name);
    c.steps = steps;
    c.checkpoint_every = 1;
    c.keep_checkpoints = 1;
    c.optimizer.learning_rate = 1e38;
    c.optimizer.warmup_steps = 0;
    c.optimizer.schedule = Schedule::kConstant;
    bool asked = false;
    TrainOptions options;
    options.callback_every = 1;
    options.callback = [&](const StepReport&, model::Transformer&) { asked = true; };
    const std::string said = failure(c, options);
    EXPECT_TRUE(contains(said, "training stopped after step 1: ")) << said;
    EXPECT_TRUE(contains(said, "holds numbers that are not finite")) << said;
    EXPECT_TRUE(contains(said, "optimizer.learning_rate")) << said;
    EXPECT_FALSE(asked) << "a model of garbage was handed out";
    EXPECT_EQ(std::distance(fs::directory_iterator(run(name) / "checkpoints"), {}), 0);
    c.optimizer.learning_rate = 1e-3;
    EXPECT_EQ(resume(c), TrainEnd::kFinished);
    EXPECT_EQ(checkpoint_steps(run(name)), std::vector<int64_t>{steps});
  }
}

TEST_F(Trainer, KeepsTheLastSoundCheckpointWhateverTensorIsNotFinite) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
  struct Kind {
    const char* name;
    model::ComputeDtype dtype;
    double value;
    bool by_signal;
  };
  for (const Kind& kind : {Kind{"table", model::ComputeDtype::kFloat32, kNan, false},
                           Kind{"narrow_table", model::ComputeDtype::kBFloat16, -kInfinity, false},
                           Kind{"table_and_signal", model::ComputeDtype::kFloat32, kInfinity, true}}) {
    SCOPED_TRACE(kind.name);
    TrainConfig c = config(kind.name);
    c.dtype = kind.dtype;
    c.keep_checkpoints = 1;
    c.optimizer.table_optimizer = ops::RowOptimizer::kLazy;  // a row that nobody reads keeps what it holds
    c.model.memory.random_reads = 0;
    c.steps = 9;
    TrainOptions options;
    options.callback_every = 5;
    options.callback = [&](const StepReport& report, model::Transformer& model) {
      if (report.step != 5) return;
      // Whether the step after it reads that row or not: the checkpoint of step 6 must not hold it.
      spoil(tests::rows_of(*model.tables()[0].table), kind.value);
      base::set_interrupted(kind.by_signal);
    };
    const std::string said = failure(c, options);
    base::set_interrupted(false);
    EXPECT_TRUE(contains(said, "training stopped ")) << said;
    EXPECT_TRUE(contains(said, "step-00000003")) << said;
    EXPECT_EQ(checkpoint_steps(run(kind.name)), (std::vector<int64_t>{3}));
    EXPECT_EQ(resume(c), TrainEnd::kFinished);
  }
}

TEST(StepRunnerTest, FindsMomentsThatAreNotFinite) {
  TrainConfig c = tests::tiny_run("data", "run");
  c.model.vocab_size = 32;
  base::override_config(c, {});
  StepRunner runner(c);
  runner.require_finite();
  for (const char* name : {"model.norm.weight.exp_avg_sq", "model.memory_tables.0.weight.exp_avg"}) {
    const model::NamedTensors state = runner.state();
    const auto found = std::find_if(state.begin(), state.end(), [&](const auto& named) { return named.first == name; });
    ASSERT_NE(found, state.end()) << name;
    spoil(found->second, std::numeric_limits<double>::infinity());
    try {
      runner.require_finite();
      FAIL() << name;
    } catch (const NotFinite& error) {
      EXPECT_TRUE(contains(error.what(), name)) << error.what();
    }
    spoil(found->second, 0);
  }
}

TEST(StepRunnerTest, TakesTheSameStepsWhetherItIsTimedOrNot) {
  TrainConfig c = tests::tiny_run("data", "run");
  c.model.vocab_size = 32;
  c.micro_batches = 2;
  base::override_config(c, {});
  StepRunner timed(c), untimed(c);
  results::StepParts parts;
  for (int64_t step = 0; step < 3; ++step) {
    const at::Tensor batch = (at::arange(4 * 17, at::kLong) * (step + 3)).remainder(31).view({4, 17});
    const StepResult a = timed.run(batch, &parts), b = untimed.run(batch);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.norms.tables, b.norms.tables);
    EXPECT_GT(a.touched_rows, 0);
  }
  EXPECT_EQ(timed.steps_done(), 3);
  for (const double seconds : {parts.forward, parts.backward, parts.measure, parts.apply}) EXPECT_GT(seconds, 0);
  const auto a = model::weights_of(timed.model()), b = model::weights_of(untimed.model());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].second, b[i].second)) << a[i].first;
}

// A checkpoint written before such were refused.
TEST_F(Trainer, DoesNotGoOnFromACheckpointThatIsNotFinite) {
  TrainConfig c = config("run");
  train_until(c, 4);
  StepRunner runner([&] {
    TrainConfig with_vocabulary = c;
    with_vocabulary.model = base::load_config<TrainConfig>(run("run") / "config.yaml").model;
    return with_vocabulary;
  }());
  runner.continue_from(model::require_good_checkpoint(run("run")));
  spoil(*runner.model().parameters()[0].tensor, std::numeric_limits<double>::quiet_NaN());
  const fs::path newest = newest_checkpoint(run("run"));
  model::write_checkpoint(run("run"), 4, [&](const fs::path& folder) {
    fs::copy(newest, folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    fs::remove(folder / "manifest.json");
    model::save_model(runner.model(), folder);
  });
  TrainOptions options;
  options.resume = true;
  const std::string said = failure(c, options);
  EXPECT_TRUE(contains(said, "step-00000004")) << said;
  EXPECT_TRUE(contains(said, runner.model().parameters()[0].name)) << said;
  EXPECT_TRUE(contains(said, "delete this folder")) << said;
  fs::remove_all(newest);
  EXPECT_EQ(resume(c), TrainEnd::kFinished);
}

/// Every event file of a run, in the order of their names.
std::vector<std::string> event_files(const fs::path& run) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(run / "tensorboard")) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const fs::path& path : paths) texts.push_back(base::read_text(path));
  return texts;
}

// The metrics of the steps that are taken again are cut off; TensorBoard is told to forget them.
TEST_F(Trainer, AResumedRunTellsTensorBoardWhichStepsComeAgain) {
  TrainConfig c = config("run");
  c.tensorboard = true;
  train_until(c, 5);
  fs::remove_all(newest_checkpoint(run("run")));  // as a kill before it was written leaves the run
  EXPECT_EQ(resume(c), TrainEnd::kFinished);
  const std::vector<std::string> files = event_files(run("run"));
  ASSERT_EQ(files.size(), 2u);
  const auto start_at = [](char step) { return std::string("\x10") + step + std::string("\x3a\x02\x08\x01"); };
  EXPECT_TRUE(contains(files[0], start_at(1)));
  EXPECT_TRUE(contains(files[1], start_at(4)));
  const auto lines = metrics(run("run"));
  ASSERT_EQ(lines.size(), 8u);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i]["step"], i + 1);
}

TEST_F(Trainer, CallbackIsMadeAgainWhenASignalCameDuringIt) {
  std::vector<int64_t> called;
  TrainOptions options;
  options.callback_every = 4;
  options.callback = [&](const StepReport& report, model::Transformer&) {
    called.push_back(report.step);
    if (called.size() == 1) base::set_interrupted(true);
  };
  EXPECT_EQ(train(config("run"), options), TrainEnd::kInterrupted);
  base::set_interrupted(false);
  options.resume = true;
  EXPECT_EQ(train(config("run"), options), TrainEnd::kFinished);
  EXPECT_EQ(called, (std::vector<int64_t>{4, 4, 8}));
}

TEST_F(Trainer, CallbackSeesTheTablesUpToDate) {
  TrainOptions options;
  options.callback_every = 8;
  at::Tensor seen;
  options.callback = [&](const StepReport& report, model::Transformer& model) {
    seen = tests::rows_of(*model.tables()[0].table).clone();
    EXPECT_EQ(report.tokens, 8 * 4 * 16);
    EXPECT_GT(report.seconds, 0);
    EXPECT_GT(report.flops, 0);
  };
  train(config("run"), options);
  EXPECT_TRUE(at::equal(seen, tests::rows_of(*model::load_model(newest_checkpoint(run("run")))->tables()[0].table)));
}

TEST_F(Trainer, DenseModelTrainsToo) {
  TrainConfig c = config("run");
  c.model.memory.layers = {};
  EXPECT_EQ(train(c, {}), TrainEnd::kFinished);
  EXPECT_FALSE(metrics(run("run"))[0].contains("tables"));
}

TEST_F(Trainer, EveryKindOfTableTrainsAndResumesBitForBit) {
  const std::vector<std::pair<std::string, std::function<void(TrainConfig&)>>> kinds = {
      {"peer", [](TrainConfig& c) { c.model.memory.variant = layers::MemoryVariant::kPeer; }},
      {"own_tables", [](TrainConfig& c) { c.model.memory.shared_table = false; }},
      {"lazy", [](TrainConfig& c) { c.optimizer.table_optimizer = ops::RowOptimizer::kLazy; }},
      {"rowwise", [](TrainConfig& c) { c.optimizer.table_optimizer = ops::RowOptimizer::kRowwise; }},
      {"sgd", [](TrainConfig& c) { c.optimizer.table_optimizer = ops::RowOptimizer::kSgd; }},
      {"bfloat16", [](TrainConfig& c) { c.dtype = model::ComputeDtype::kBFloat16; }},
  };
  for (const auto& [name, change] : kinds) {
    SCOPED_TRACE(name);
    TrainConfig whole = config(name + "_whole"), parts = config(name + "_parts");
    for (TrainConfig* c : {&whole, &parts}) {
      c->model.memory.layers = {0, 1};
      change(*c);
    }
    EXPECT_EQ(train(whole, {}), TrainEnd::kFinished);
    train_until(parts, 4);
    EXPECT_EQ(resume(parts), TrainEnd::kFinished);
    expect_same_end(run(name + "_whole"), run(name + "_parts"));
    const auto lines = metrics(run(name + "_whole"));
    EXPECT_EQ(lines[7]["tables"].size(), name == "peer" || name == "own_tables" ? 2u : 1u);
    EXPECT_LT(lines[7]["loss"].get<double>(), lines[0]["loss"].get<double>());
  }
}

TEST(ResumeCheck, AKeyYoungerThanTheCheckpointCountsAsItsDefault) {
  TrainConfig now;
  auto saved = nlohmann::json::parse(base::config_to_json(now).dump());
  saved["model"].erase("experts");
  EXPECT_TRUE(changes_on_resume(saved, now, 0, "checkpoint").empty());
  now.model.experts.layers = {1};
  const std::string message = tests::usage_error([&] { changes_on_resume(saved, now, 0, "checkpoint"); });
  EXPECT_TRUE(contains(message, "model.experts.layers.size: 0 -> 1")) << message;
}

TEST(ResumeCheck, AListShorterThanItsDefaultIsTakenWhole) {
  TrainConfig now;
  now.model.ngrams.orders = {3};  // the default has two
  const auto saved = nlohmann::json::parse(base::config_to_json(now).dump());
  EXPECT_TRUE(changes_on_resume(saved, now, 0, "checkpoint").empty());
}

TEST_F(Trainer, ExpertsTrainAndResumeBitForBit) {
  for (const bool by_tokens : {false, true}) {
    const std::string name = by_tokens ? "token_choice" : "expert_choice";
    SCOPED_TRACE(name);
    TrainConfig whole = config(name + "_whole"), parts = config(name + "_parts");
    for (TrainConfig* c : {&whole, &parts}) {
      c->model.memory.layers = {};
      c->model.experts.layers = {0, 1};
      c->model.experts.num_experts = 4;
      c->model.experts.top_k = 2;
      if (!by_tokens) continue;
      c->model.experts.routing = layers::ExpertRouting::kTokenChoice;
      c->model.experts.balance_loss = 0.01;
    }
    EXPECT_EQ(train(whole, {}), TrainEnd::kFinished);
    train_until(parts, 4);
    EXPECT_EQ(resume(parts), TrainEnd::kFinished);
    expect_same_end(run(name + "_whole"), run(name + "_parts"));
    const auto lines = metrics(run(name + "_whole"));
    EXPECT_LT(lines[7]["loss"].get<double>(), lines[0]["loss"].get<double>());
    const auto& use = lines[7]["experts"]["model.layers.1.mlp"];
    EXPECT_EQ(use["tokens"], 4 * 16);
    EXPECT_EQ(use["capacity"], 4 * 16 * 2 / 4);
    EXPECT_EQ(use["load"].size(), 4u);
    const int64_t refused = use["refused"];
    EXPECT_EQ(use["capacity_used"].get<double>(), 1 - double(refused) / (4 * 16 * 2));
  }
}

// Addressed by token ids and by hidden states, in one model; in bfloat16 updates of both are rounded stochastically.
TEST_F(Trainer, NgramLayersTrainBesideMemoryAndResumeBitForBit) {
  const std::vector<std::pair<std::string, std::function<void(TrainConfig&)>>> kinds = {
      {"exact", [](TrainConfig&) {}},
      {"lazy", [](TrainConfig& c) { c.optimizer.table_optimizer = ops::RowOptimizer::kLazy; }},
      {"rowwise_shared",
       [](TrainConfig& c) {
         c.optimizer.table_optimizer = ops::RowOptimizer::kRowwise;
         c.model.ngrams.shared_table = true;
       }},
      {"bfloat16_micro_batches",
       [](TrainConfig& c) {
         c.dtype = model::ComputeDtype::kBFloat16;
         c.micro_batches = 2;
       }},
      {"alone", [](TrainConfig& c) { c.model.memory.layers = {}; }},
  };
  for (const auto& [name, change] : kinds) {
    SCOPED_TRACE(name);
    TrainConfig whole = config(name + "_whole"), parts = config(name + "_parts");
    for (TrainConfig* c : {&whole, &parts}) {
      c->model.ngrams.layers = {0, 1};
      c->model.ngrams.hashes = 2;
      c->model.ngrams.rows = 40;
      change(*c);
    }
    EXPECT_EQ(train(whole, {}), TrainEnd::kFinished);
    train_until(parts, 4);
    EXPECT_EQ(resume(parts), TrainEnd::kFinished);
    expect_same_end(run(name + "_whole"), run(name + "_parts"));
    const auto lines = metrics(run(name + "_whole"));
    EXPECT_LT(lines[7]["loss"].get<double>(), lines[0]["loss"].get<double>());
    const auto& usage = lines[7]["tables"]["model.ngram_tables.0.weight"];
    const int64_t layers = whole.model.ngrams.shared_table ? 2 : 1;
    EXPECT_EQ(usage["reads"], layers * 4 * 16 * 4);  // layers * batch * length * orders * hashes
    EXPECT_GT(usage["used_share"].get<double>(), 0.1);
    EXPECT_EQ(lines[7]["tables"].contains("model.memory_tables.0.weight"), name != "alone");
  }
}

// Every row is decayed at every step, read or not, as dense AdamW does; lazily the rows that nobody read stay.
TEST_F(Trainer, UnreadRowsOfNgramTablesFollowTheirOptimizer) {
  for (const bool lazy : {false, true}) {
    TrainConfig c = config(lazy ? "lazy" : "exact");
    c.model.ngrams.layers = {0};
    c.model.ngrams.hashes = 2;
    c.model.ngrams.rows = 5000;
    c.optimizer.warmup_steps = 0;  // a rate of 0 would move nothing
    if (lazy) c.optimizer.table_optimizer = ops::RowOptimizer::kLazy;
    EXPECT_EQ(train(c, {}), TrainEnd::kFinished);
    const fs::path last = newest_checkpoint(c.output);
    const auto after = model::load_model(last);
    const model::Transformer before(after->config(), c.seed);
    const auto table = [](const model::Transformer& model) { return tests::rows_of(*model.tables()[1].table); };
    const int64_t moved = (table(before) != table(*after)).any(1).sum().item<int64_t>();
    EXPECT_GT(moved, 0);
    const int64_t dead = metrics(c.output)[7]["tables"]["model.ngram_tables.0.weight"]["dead_slots"];
    EXPECT_GT(dead, 10'000);
    EXPECT_EQ(moved, lazy ? 20'000 - dead : 20'000);
  }
}

TEST_F(Trainer, RefusesNgramsThatWouldReachOverDocuments) {
  TrainConfig c = config("run");
  c.model.ngrams.layers = {0};
  c.model.vocab_size = 1000;
  c.model.bos_token_id = 999;
  const std::string message = refusal(c, {});
  EXPECT_TRUE(contains(message, "model.bos_token_id is 999")) << message;
  c.model.ngrams.layers = {};
  EXPECT_EQ(train(c, {}), TrainEnd::kFinished);
}

TEST_F(Trainer, RefusesAFolderThatAnotherRunIsTrainingIn) {
  TrainOptions options;
  options.callback_every = 4;
  int refused = 0;
  options.callback = [&](const StepReport&, model::Transformer&) {
    refused += contains(refusal_to_resume(config("run")), "another process is training in");
  };
  EXPECT_EQ(train(config("run"), options), TrainEnd::kFinished);
  EXPECT_EQ(refused, 2);
}

TEST_F(Trainer, RefusesAVocabularySmallerThanTheDatas) {
  TrainConfig c = config("run");
  c.model.vocab_size = 100;
  EXPECT_TRUE(contains(refusal(c, {}), "model.vocab_size is 100 but the data has 259 tokens"));
}

}  // namespace
}  // namespace memlayers::training
