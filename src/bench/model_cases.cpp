// Whole models: a Memory+ model and its dense twin take training steps, and decode, in turns.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "bench/busy_core.h"
#include "bench/catalog.h"
#include "bench/draws.h"
#include "bench/twin_training.h"
#include "generation/engine.h"
#include "model/checkpoint.h"
#include "planning/count.h"
#include "training/trainer.h"

namespace memlayers::bench {
namespace {

using Prompts = std::vector<std::vector<int64_t>>;

Twins benchable_twins(const Twins& twins, const std::string& dtype) {
  Twins result = {twins.name, benchable(twins.dense, dtype), benchable(twins.memory, dtype), twins.run};
  for (const auto& [name, config] : twins.mixtures) result.mixtures.push_back({name, benchable(config, dtype)});
  return result;
}

const char* distribution_of(const Twins& twins) { return twins.run.empty() ? kZipf : kTrained; }

Workload train_step(const Twins& twins, int profiled_steps) {
  const auto batches = twins.run.empty() ? drawn_batches(twins.memory) : read_batches(twins.memory);
  const auto ours = training_on(twins.memory, batches, twins.run);
  const auto theirs = training_on(twins.dense, batches);
  Workload work;
  work.tokens = ours->tokens_of_step();
  work.ours = [=] { ours->step(); };
  work.rivals.push_back({"dense_twin", [=] { theirs->step(); }});
  work.more = [=] {
    return nlohmann::ordered_json{{"parts", profile_steps(*ours, profiled_steps)},
                                  {"against_parts", profile_steps(*theirs, profiled_steps)},
                                  {"touched_rows", ours->touched_rows()}};
  };
  return work;
}

double flops_of_step(const training::TrainConfig& config) {
  const double tokens = double(config.data.batch_size * config.data.seq_len);
  return tokens * planning::count_model(config.model, config.data.seq_len).flops_training;
}

/// A mixture does more than its twin where a token has several experts: what is compared is the FLOPs a second of both.
Workload mixture_step(const training::TrainConfig& mixture, const training::TrainConfig& dense, int profiled_steps) {
  const auto batches = drawn_batches(mixture);
  const auto ours = training_on(mixture, batches), theirs = training_on(dense, batches);
  Workload work;
  work.tokens = ours->tokens_of_step();
  work.flops = flops_of_step(mixture);
  work.ours = [=] { ours->step(); };
  work.rivals.push_back({"dense_twin", [=] { theirs->step(); }, flops_of_step(dense)});
  work.more = [=] {
    return nlohmann::ordered_json{{"parts", profile_steps(*ours, profiled_steps)},
                                  {"against_parts", profile_steps(*theirs, profiled_steps)}};
  };
  return work;
}

Case mixture_case(const Twins& twins, const Twins::Mixture& mixture, int profiled_steps) {
  const layers::ExpertConfig& experts = mixture.config.model.experts;
  nlohmann::ordered_json shape = {{"model", twins.name + " " + mixture.name},
                                  {"d", mixture.config.model.hidden_size},
                                  {"blocks", mixture.config.model.num_hidden_layers},
                                  {"vocab", mixture.config.model.vocab_size},
                                  {"E", experts.num_experts},
                                  {"experts_per_token", experts.top_k},
                                  {"B", mixture.config.data.batch_size},
                                  {"T", mixture.config.data.seq_len}};
  const training::TrainConfig ours = mixture.config, theirs = twins.dense;
  return {"train_step",     shape,          kZipf,
          dtype_name(ours), {"dense_twin"}, [=] { return mixture_step(ours, theirs, profiled_steps); },
          int(ours.threads)};
}

std::function<void()> decoder(const training::TrainConfig& config, const std::filesystem::path& run,
                              const Prompts& prompts, int64_t new_tokens) {
  model::Transformer model = training::model_of(config);
  if (!run.empty()) model::load_weights(model, training::newest_checkpoint(run));
  const auto engine = std::make_shared<generation::Engine>(model);
  generation::SamplingOptions options;
  options.max_new_tokens = new_tokens;
  return [=] { engine->generate(prompts, options); };
}

Prompts prompts_of(const Twins& twins, int64_t batch, int64_t length) {
  auto batches = twins.run.empty() ? drawn_batches(twins.memory) : read_batches(twins.memory);
  Prompts prompts;
  while (int64_t(prompts.size()) < batch) {
    const at::Tensor rows = batches.next().narrow(1, 0, length).contiguous();
    for (int64_t row = 0; row < rows.size(0) && int64_t(prompts.size()) < batch; ++row) {
      const int64_t* ids = rows.const_data_ptr<int64_t>() + row * length;
      prompts.emplace_back(ids, ids + length);
    }
  }
  return prompts;
}

Workload decode(const Twins& twins, int64_t batch, int64_t prompt, int64_t new_tokens) {
  const Prompts prompts = prompts_of(twins, batch, prompt);
  Workload work;
  work.tokens = batch * new_tokens;
  work.ours = decoder(twins.memory, twins.run, prompts, new_tokens);
  work.rivals.push_back({"dense_twin", decoder(twins.dense, {}, prompts, new_tokens)});
  return work;
}

Workload crowded_step(const training::TrainConfig& config) {
  const auto load = std::make_shared<BusyCore>();
  const auto training = training_on(config, drawn_batches(config));
  const int threads = at::get_num_threads();
  const auto step_with = [=](int count) {
    at::set_num_threads(count);
    training->step();
    at::set_num_threads(threads);
  };
  Workload work;
  work.tokens = training->tokens_of_step();
  work.ours = [=] { step_with(threads); };
  work.rivals.push_back({"one_thread", [=] { step_with(1); }});
  work.more = [=] { return nlohmann::ordered_json{{"busy_core", load->core()}}; };
  return work;
}

/// Each twin with all threads against itself with one, both beside the same load.
std::vector<Case> crowded_cases(const CaseOptions& options) {
  std::vector<Case> all;
  for (const Twins& each : options.twins) {
    const Twins twins = benchable_twins(each, options.dtype);
    for (const training::TrainConfig& config : {twins.dense, twins.memory}) {
      nlohmann::ordered_json shape =
          shape_of(twins.name + (config.model.memory.layers.empty() ? " dense" : ""), config);
      shape["B"] = config.data.batch_size;
      shape["T"] = config.data.seq_len;
      all.push_back({"train_step",
                     shape,
                     kZipf,
                     dtype_name(config),
                     {"one_thread"},
                     [=] { return crowded_step(config); },
                     int(config.threads)});
    }
  }
  return all;
}

}  // namespace

std::vector<Case> train_step_cases(const CaseOptions& options) {
  if (options.beside_load) return crowded_cases(options);
  const int profiled_steps = options.quick ? 1 : 5;
  std::vector<Case> all;
  for (const Twins& each : options.twins) {
    const Twins twins = benchable_twins(each, options.dtype);
    nlohmann::ordered_json shape = shape_of(twins.name, twins.memory);
    shape["B"] = twins.memory.data.batch_size;
    shape["T"] = twins.memory.data.seq_len;
    all.push_back({"train_step",
                   shape,
                   distribution_of(twins),
                   dtype_name(twins.memory),
                   {"dense_twin"},
                   [=] { return train_step(twins, profiled_steps); },
                   int(twins.memory.threads)});
    for (const Twins::Mixture& mixture : twins.mixtures) all.push_back(mixture_case(twins, mixture, profiled_steps));
  }
  return all;
}

std::vector<Case> decode_cases(const CaseOptions& options) {
  std::vector<Case> all;
  for (const Twins& each : options.twins) {
    const Twins twins = benchable_twins(each, options.dtype);
    const int64_t prompt = std::min<int64_t>(16, twins.memory.data.seq_len);
    const int64_t room = twins.memory.model.max_position_embeddings - prompt;
    const int64_t new_tokens = std::min<int64_t>(options.quick ? 8 : 64, room);
    for (const int64_t batch : {1, 16}) {
      nlohmann::ordered_json shape = shape_of(twins.name, twins.memory);
      shape["B"] = batch;
      shape["prompt"] = prompt;
      shape["new_tokens"] = new_tokens;
      all.push_back({"decode",
                     shape,
                     distribution_of(twins),
                     dtype_name(twins.memory),
                     {"dense_twin"},
                     [=] { return decode(twins, batch, prompt, new_tokens); },
                     int(twins.memory.threads)});
    }
  }
  return all;
}

}  // namespace memlayers::bench
