// Whole models: a Memory+ model and its dense twin take training steps, and decode, in turns.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "bench/catalog.h"
#include "bench/draws.h"
#include "bench/twin_training.h"
#include "generation/engine.h"

namespace memlayers::bench {
namespace {

using Prompts = std::vector<std::vector<int64_t>>;

Workload train_step(const training::TrainConfig& dense, const training::TrainConfig& memory, int profiled_steps) {
  const auto ours = std::make_shared<TwinTraining>(memory), theirs = std::make_shared<TwinTraining>(dense);
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

std::function<void()> decoder(const training::TrainConfig& config, const Prompts& prompts, int64_t new_tokens) {
  const auto model = std::make_shared<model::Transformer>(model_of(config));
  generation::SamplingOptions options;
  options.max_new_tokens = new_tokens;
  return [=] { generation::Engine(*model).generate(prompts, options); };
}

Workload decode(const training::TrainConfig& dense, const training::TrainConfig& memory, int64_t batch, int64_t prompt,
                int64_t new_tokens) {
  const ZipfDraws zipf(memory.model.vocab_size, memory.seed);
  Prompts prompts;
  for (int64_t i = 0; i < batch; ++i) {
    const at::Tensor ids = zipf.draw({prompt}, uint64_t(i));
    prompts.emplace_back(ids.const_data_ptr<int64_t>(), ids.const_data_ptr<int64_t>() + prompt);
  }
  Workload work;
  work.tokens = batch * new_tokens;
  work.ours = decoder(memory, prompts, new_tokens);
  work.rivals.push_back({"dense_twin", decoder(dense, prompts, new_tokens)});
  return work;
}

}  // namespace

std::vector<Case> train_step_cases(const CaseOptions& options) {
  std::vector<Case> all;
  for (const Twins& twins : options.twins) {
    const auto dense = benchable(twins.dense, options.dtype), memory = benchable(twins.memory, options.dtype);
    nlohmann::ordered_json shape = shape_of(twins.name, memory);
    shape["B"] = memory.data.batch_size;
    shape["T"] = memory.data.seq_len;
    const int profiled_steps = options.quick ? 1 : 5;
    all.push_back({"train_step",
                   shape,
                   kZipf,
                   dtype_name(memory),
                   {"dense_twin"},
                   [=] { return train_step(dense, memory, profiled_steps); },
                   int(memory.threads)});
  }
  return all;
}

std::vector<Case> decode_cases(const CaseOptions& options) {
  const int64_t prompt = 16, new_tokens = options.quick ? 8 : 64;
  std::vector<Case> all;
  for (const Twins& twins : options.twins) {
    const auto dense = benchable(twins.dense, options.dtype), memory = benchable(twins.memory, options.dtype);
    for (const int64_t batch : {1, 16}) {
      nlohmann::ordered_json shape = shape_of(twins.name, memory);
      shape["B"] = batch;
      shape["prompt"] = prompt;
      shape["new_tokens"] = new_tokens;
      all.push_back({"decode",
                     shape,
                     kZipf,
                     dtype_name(memory),
                     {"dense_twin"},
                     [=] { return decode(dense, memory, batch, prompt, new_tokens); },
                     int(memory.threads)});
    }
  }
  return all;
}

}  // namespace memlayers::bench
