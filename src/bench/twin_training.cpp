#include "bench/twin_training.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "bench/draws.h"
#include "profiling/profile_steps.h"

namespace memlayers::bench {
namespace {

constexpr int64_t kBatches = 64;
constexpr int64_t kMostSteps = 20'000;
constexpr size_t kOpsNamed = 16;

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
  return Rotation<at::Tensor>(profiling::read_batches(config, kBatches));
}

training::TrainConfig benchable(training::TrainConfig config, const std::string& dtype) {
  if (config.model.vocab_size == 0) config.model.vocab_size = kDrawnVocabulary;
  config.steps += kMostSteps;
  if (dtype == "float32") config.dtype = model::ComputeDtype::kFloat32;
  if (dtype == "bfloat16") config.dtype = model::ComputeDtype::kBFloat16;
  base::override_config(config, {});
  return config;
}

std::string dtype_name(const training::TrainConfig& config) { return model::resolved_name(config.dtype); }

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

std::shared_ptr<profiling::TrainingSteps> training_on(const training::TrainConfig& config, Rotation<at::Tensor> batches,
                                                      const std::filesystem::path& run) {
  const auto next = [batches = std::move(batches)]() mutable { return batches.next(); };
  return std::make_shared<profiling::TrainingSteps>(config, next, run);
}

nlohmann::ordered_json profile_steps(profiling::TrainingSteps& training, int steps) {
  const profiling::TimedStep step = profiling::fastest_step(training, steps);
  std::vector<std::pair<double, std::string>> ops;
  for (const auto& [name, op] : step.ops) ops.emplace_back(op.seconds, name);
  std::sort(ops.rbegin(), ops.rend());
  nlohmann::ordered_json json = base::config_to_json(step.parts);
  double named = 0;
  nlohmann::ordered_json listed = nlohmann::ordered_json::object();
  for (size_t i = 0; i < std::min(kOpsNamed, ops.size()); ++i) {
    listed[ops[i].second] = ops[i].first;
    named += ops[i].first;
  }
  listed["everything else"] = std::max(0.0, step.parts.seconds() - named);
  json["ops"] = std::move(listed);
  return json;
}

}  // namespace memlayers::bench
