#include "profiling/training_steps.h"

#include "data/shards/loader.h"
#include "model/batch.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kMostSlotsKept = int64_t{1} << 24;  // 128 MiB

}  // namespace

std::vector<at::Tensor> read_batches(const training::TrainConfig& config, int64_t count) {
  data::Loader loader(config.data, "train");
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < count; ++i) {
    batches.push_back(model::batch_tensor(loader.next(), config.data.batch_size));
  }
  return batches;
}

TrainingSteps::TrainingSteps(const training::TrainConfig& config, std::function<at::Tensor()> next_batch,
                             const std::filesystem::path& run)
    : config_(config), runner_(config), reads_(model().tables().size()), next_batch_(std::move(next_batch)) {
  if (!run.empty()) runner_.continue_from(model::require_good_checkpoint(run));
  for (size_t t = 0; t < reads_.size(); ++t) {
    const auto keep = [this, t](int64_t, const at::Tensor& slots, const at::Tensor&) {
      if (!keep_reads || kept_slots_ > kMostSlotsKept) return;
      reads_[t].push_back(slots);
      kept_slots_ += slots.numel();
    };
    listening_.push_back(model().tables()[t].table->listen(keep));
  }
}

}  // namespace memlayers::profiling
