#include "training/step_runner.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cmath>

#include "base/enum_names.h"
#include "base/threads.h"
#include "model/checkpoint.h"

namespace memlayers::training {

/// Says what passed since the last lap; asks no clock where nobody listens.
class Lap {
 public:
  explicit Lap(results::StepParts* parts) : parts_(parts) { restart(); }

  void end(double results::StepParts::*part) {
    if (parts_ == nullptr) return;
    parts_->*part += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    restart();
  }

 private:
  void restart() {
    if (parts_ != nullptr) begin_ = std::chrono::steady_clock::now();
  }

  results::StepParts* parts_;
  std::chrono::steady_clock::time_point begin_;
};

namespace {

bool is_of_memory(const std::string& name) {
  return name.find(".memory.") != std::string::npos || name.find(".ngrams.") != std::string::npos;
}

void require_finite_value(double value, const char* what, int64_t step) {
  if (!std::isfinite(value)) {
    throw NotFinite(base::concat("training stopped at step ", step, ": ", what, " is ", value));
  }
}

}  // namespace

void use_threads(int64_t threads) {
  static const int all = at::get_num_threads();  // torch's own choice: every core, or OMP_NUM_THREADS
  at::set_num_threads(base::useful_threads(threads > 0 ? threads : all));
}

model::Transformer model_of(const TrainConfig& config) {
  model::Transformer model(config.model, config.seed);
  model.set_compute_dtype(model::resolved_dtype(config.dtype));
  base::check(config.trainable == Trainable::kAll || !model.tables().empty(), "trainable is ",
              base::enum_name(config.trainable), ", but the model has neither memory nor n-gram layers");
  for (const layers::Parameter& parameter : model.parameters()) {
    const bool trained =
        config.trainable == Trainable::kAll || (config.trainable == Trainable::kMemory && is_of_memory(parameter.name));
    parameter.tensor->set_requires_grad(trained);
  }
  return model;
}

void check_tables_can_learn(const model::Transformer& model, Trainable trainable) {
  if (trainable != Trainable::kTable) return;
  const at::NoGradGuard no_grad;
  for (const layers::Parameter& parameter : model.parameters()) {
    if (!parameter.name.ends_with(".memory.out_proj.weight")) continue;
    base::check(
        parameter.tensor->count_nonzero().item<int64_t>() > 0, "trainable is table, but ", parameter.name,
        " is zero, so the table's gradient is zero and it could never learn: use trainable=memory, which trains "
        "that projection too");
  }
}

StepRunner::StepRunner(const TrainConfig& config)
    : config_(config), model_(model_of(config)), optimizer_(model_, config.optimizer, config.steps, config.seed) {
  for (const auto& [name, table] : model_.tables()) usage_.emplace_back(table->rows());
}

double StepRunner::forward_and_backward(const at::Tensor& batch, Lap& lap) {
  pass_ = {.training = true, .dropout = {config_.seed, uint64_t(steps_done())}};
  double loss_sum = 0;
  for (const at::Tensor& part : batch.chunk(config_.micro_batches)) {
    const auto [cross_entropy, total] = model_.losses(part, pass_);
    lap.end(&results::StepParts::forward);
    // The mean over the batch is the mean of its equal parts' means.
    (config_.micro_batches > 1 ? total / double(config_.micro_batches) : total).backward();
    loss_sum += cross_entropy.item<double>();
    lap.end(&results::StepParts::backward);
  }
  return loss_sum / double(config_.micro_batches);
}

StepResult StepRunner::run(const at::Tensor& batch, results::StepParts* parts) {
  Lap lap(parts);
  StepResult result;
  result.loss = forward_and_backward(batch, lap);
  require_finite_value(result.loss, "the loss", steps_done() + 1);
  result.norms = optimizer_.measure();
  require_finite_value(result.norms.dense, "the gradient's norm", steps_done() + 1);
  require_finite_value(result.norms.tables, "the norm of the tables' gradient", steps_done() + 1);
  for (size_t t = 0; t < usage_.size(); ++t) {
    usage_[t].count(optimizer_.touched_rows(t));
    result.touched_rows += optimizer_.touched_rows(t).rows.size(0);
  }
  result.learning_rate = optimizer_.learning_rate();
  result.table_learning_rate = usage_.empty() ? 0 : optimizer_.table_learning_rate();
  lap.end(&results::StepParts::measure);
  optimizer_.apply(result.norms);
  lap.end(&results::StepParts::apply);
  return result;
}

void StepRunner::require_finite() const {
  for (const model::NamedTensors& tensors : {model::weights_of(model_), optimizer_.state()}) {
    if (const std::string* name = model::first_not_finite(tensors)) {
      throw NotFinite(base::concat("training stopped after step ", steps_done(), ": ", *name,
                                   " holds numbers that are not finite, so no checkpoint of that step is written"));
    }
  }
}

model::NamedTensors StepRunner::state() const {
  model::NamedTensors tensors = optimizer_.state();
  for (size_t t = 0; t < usage_.size(); ++t) {
    for (const auto& [name, tensor] : usage_[t].state()) {
      tensors.emplace_back("usage." + model_.tables()[t].name + "." + name, tensor);
    }
  }
  return tensors;
}

void StepRunner::continue_from(const model::RunCheckpoint& checkpoint) {
  model::load_weights(model_, checkpoint.folder);
  const model::NamedTensors tensors = state();
  model::read_tensors(checkpoint.folder / "training_state.safetensors", tensors);
  for (const model::NamedTensors& read : {model::weights_of(model_), tensors}) {
    if (const std::string* name = model::first_not_finite(read)) {
      throw base::IoError(checkpoint.folder,
                          base::concat("its tensor ", *name,
                                       " holds numbers that are not finite: training cannot go on "
                                       "from there; delete this folder to continue from the checkpoint before it"));
    }
  }
  optimizer_.continue_from(checkpoint.step);
}

}  // namespace memlayers::training
