#include "bench/twin_training.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "bench/draws.h"
#include "bench/op_times.h"
#include "data/loader.h"
#include "model/checkpoint.h"
#include "training/run_checkpoint.h"
#include "training/training_run.h"

namespace memlayers::bench {
namespace {

constexpr int64_t kBatches = 64;
constexpr int64_t kMostSteps = 20'000;
constexpr size_t kOpsNamed = 16;

class Lap {
 public:
  /// Seconds since the last lap, added to `sum`.
  void add_to(double& sum) {
    const auto now = std::chrono::steady_clock::now();
    sum += std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

Rotation<at::Tensor> drawn_batches(const training::TrainConfig& config) {
  const ZipfDraws zipf(config.model.vocab_size, config.seed);
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < kBatches; ++i) {
    batches.push_back(zipf.draw({config.data.batch_size, config.data.seq_len + 1}, uint64_t(i)));
  }
  return Rotation<at::Tensor>(std::move(batches));
}

Rotation<at::Tensor> read_batches(const training::TrainConfig& config) {
  data::Loader loader(config.data, "train");
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < kBatches; ++i) {
    std::vector<int32_t> ids = loader.next();
    batches.push_back(
        at::from_blob(ids.data(), {config.data.batch_size, config.data.seq_len + 1}, at::kInt).to(at::kLong));
  }
  return Rotation<at::Tensor>(std::move(batches));
}

training::TrainConfig benchable(training::TrainConfig config, const std::string& dtype) {
  if (config.model.vocab_size == 0) config.model.vocab_size = kDrawnVocabulary;
  config.steps += kMostSteps;
  if (dtype == "float32") config.dtype = training::ComputeDtype::kFloat32;
  if (dtype == "bfloat16") config.dtype = training::ComputeDtype::kBFloat16;
  base::override_config(config, {});
  return config;
}

std::string dtype_name(const training::TrainConfig& config) {
  return training::resolved_dtype(config.dtype) == at::kFloat ? "float32" : "bfloat16";
}

nlohmann::ordered_json shape_of(const std::string& name, const training::TrainConfig& config) {
  const model::ModelConfig& model = config.model;
  const layers::MemoryConfig& memory = model.memory;
  return {{"model", name},
          {"d", model.hidden_size},
          {"blocks", model.num_hidden_layers},
          {"vocab", model.vocab_size},
          {"memory_layers", memory.layers.size()},
          {"n", memory.num_sub_keys},
          {"H", memory.heads},
          {"k", memory.top_k}};
}

model::Transformer model_of(const training::TrainConfig& config) {
  model::Transformer model(config.model, config.seed);
  model.set_compute_dtype(training::resolved_dtype(config.dtype));
  return model;
}

TwinTraining::TwinTraining(const training::TrainConfig& config, Rotation<at::Tensor> batches,
                           const std::filesystem::path& run)
    : config_(config),
      model_(model_of(config)),
      optimizer_(model_, config.optimizer, config.steps, config.seed),
      batches_(std::move(batches)) {
  model_.set_training(true);
  for (const auto& [name, table] : model_.tables()) usage_.emplace_back(table->weight.size(0));
  if (!run.empty()) continue_run(run);
}

// The tensors that training::TrainingRun saves, in its names.
void TwinTraining::continue_run(const std::filesystem::path& run) {
  const auto checkpoint = training::newest_good_checkpoint(run);
  if (!checkpoint) throw base::IoError(run, "holds no checkpoint (RUN/checkpoints/step-XXXXXXXX)");
  training::StateTensors state = optimizer_.state();
  for (size_t t = 0; t < usage_.size(); ++t) {
    for (const auto& [name, tensor] : usage_[t].state()) {
      state.emplace_back("usage." + model_.tables()[t].name + "." + name, tensor);
    }
  }
  model::load_weights(model_, checkpoint->folder);
  training::read_state_tensors(checkpoint->folder / "training_state.safetensors", state);
  optimizer_.continue_from(checkpoint->step);
}

void TwinTraining::step() {
  Lap lap;
  model_.set_dropout_stream(config_.seed, uint64_t(optimizer_.steps_done()));
  for (const at::Tensor& part : batches_.next().chunk(config_.micro_batches)) {
    const at::Tensor loss = model_.loss(part);
    lap.add_to(parts.forward);
    (config_.micro_batches > 1 ? loss / double(config_.micro_batches) : loss).backward();
    lap.add_to(parts.backward);
  }
  const training::GradientNorms norms = optimizer_.measure();
  touched_rows_ = 0;
  for (size_t t = 0; t < usage_.size(); ++t) {
    usage_[t].count(optimizer_.touched_rows(t));
    touched_rows_ += optimizer_.touched_rows(t).rows.size(0);
  }
  lap.add_to(parts.measure);
  optimizer_.apply(norms);
  lap.add_to(parts.apply);
}

nlohmann::ordered_json profile_steps(TwinTraining& training, int steps) {
  training.parts = {};
  const OpTimes times;
  for (int i = 0; i < steps; ++i) training.step();
  std::vector<std::pair<double, std::string>> ops;
  for (const auto& [name, seconds] : times.seconds()) ops.emplace_back(seconds / steps, name);
  std::sort(ops.rbegin(), ops.rend());
  const StepParts& parts = training.parts;
  nlohmann::ordered_json json = {{"forward", parts.forward / steps},
                                 {"backward", parts.backward / steps},
                                 {"row_gradient_and_norms", parts.measure / steps},
                                 {"update", parts.apply / steps}};
  double named = 0;
  nlohmann::ordered_json listed = nlohmann::ordered_json::object();
  for (size_t i = 0; i < std::min(kOpsNamed, ops.size()); ++i) {
    listed[ops[i].second] = ops[i].first;
    named += ops[i].first;
  }
  const double whole = (parts.forward + parts.backward + parts.measure + parts.apply) / steps;
  listed["everything else"] = std::max(0.0, whole - named);
  json["ops"] = std::move(listed);
  return json;
}

}  // namespace memlayers::bench
