#include "bench/trained_reads.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "data/shards/loader.h"
#include "model/batch.h"
#include "model/checkpoint.h"
#include "training/trainer.h"

namespace memlayers::bench {
namespace {

constexpr int64_t kTokens = 16'384;

training::TrainConfig config_of(const std::filesystem::path& run) {
  auto config = base::load_config<training::TrainConfig>(run / "config.yaml");
  base::check(!config.model.memory.layers.empty(), run.string(),
              ": its model has no memory layers, so it reads no slots");
  return config;
}

}  // namespace

TrainedReads trained_reads(const std::filesystem::path& run) {
  const training::TrainConfig config = config_of(run);
  const auto model = model::load_model(training::newest_checkpoint(run));
  data::Loader loader(config.data, "train");
  std::vector<at::Tensor> reads;
  layers::MemoryTable& table = *model->tables()[0].table;
  const auto listening =
      table.listen([&](int64_t, const at::Tensor& slots, const at::Tensor&) { reads.push_back(slots.clone()); });
  const at::NoGradGuard no_grad;
  for (int64_t tokens = 0; tokens < kTokens; tokens += config.data.batch_size * config.data.seq_len) {
    const at::Tensor batch = model::batch_tensor(loader.next(), config.data.batch_size);
    model->hidden(batch.narrow(1, 0, config.data.seq_len));
  }
  const layers::MemoryConfig& memory = model->config().memory;
  return {at::cat(reads), table.rows(), memory.heads, memory.top_k, table.value_dim()};
}

Twins twins_of_run(const std::filesystem::path& run) {
  const training::TrainConfig memory = config_of(run);
  training::TrainConfig dense = memory;
  dense.model.memory.layers.clear();
  return {"run", dense, memory, run};
}

}  // namespace memlayers::bench
