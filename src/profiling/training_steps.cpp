#include "profiling/training_steps.h"

#include <ATen/ATen.h>

#include <chrono>

#include "data/shards/loader.h"
#include "model/checkpoint.h"
#include "model/run_checkpoint.h"
#include "training/training_run.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kMostSlotsKept = int64_t{1} << 24;  // 128 MiB

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

std::vector<at::Tensor> read_batches(const training::TrainConfig& config, int64_t count) {
  data::Loader loader(config.data, "train");
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int32_t> ids = loader.next();
    batches.push_back(
        at::from_blob(ids.data(), {config.data.batch_size, config.data.seq_len + 1}, at::kInt).to(at::kLong));
  }
  return batches;
}

model::Transformer model_of(const training::TrainConfig& config) {
  model::Transformer model(config.model, config.seed);
  model.set_compute_dtype(model::resolved_dtype(config.dtype));
  return model;
}

TrainingSteps::TrainingSteps(const training::TrainConfig& config, std::function<at::Tensor()> next_batch,
                             const std::filesystem::path& run)
    : config_(config),
      model_(model_of(config)),
      optimizer_(model_, config.optimizer, config.steps, config.seed),
      reads_(model_.tables().size()),
      next_batch_(std::move(next_batch)) {
  model_.set_training(true);
  for (const auto& [name, table] : model_.tables()) usage_.emplace_back(table->weight.size(0));
  if (!run.empty()) continue_run(run);
  for (size_t t = 0; t < usage_.size(); ++t) {
    model_.tables()[t].table->after_read = [this, t](int64_t, const at::Tensor& slots, const at::Tensor&) {
      if (!keep_reads || kept_slots_ > kMostSlotsKept) return;
      reads_[t].push_back(slots);
      kept_slots_ += slots.numel();
    };
  }
}

void TrainingSteps::continue_run(const std::filesystem::path& run) {
  const model::RunCheckpoint checkpoint = model::require_good_checkpoint(run);
  model::load_weights(model_, checkpoint.folder);
  training::read_state_tensors(checkpoint.folder / "training_state.safetensors",
                               training::training_state(model_, optimizer_, usage_));
  optimizer_.continue_from(checkpoint.step);
}

void TrainingSteps::step() {
  Lap lap;
  model_.set_dropout_stream(config_.seed, uint64_t(optimizer_.steps_done()));
  for (const at::Tensor& part : next_batch_().chunk(config_.micro_batches)) {
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

}  // namespace memlayers::profiling
