// The peak memory of a training step: table and optimizer state, and beyond them no more than the touched rows call
// for.
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include "base/error.h"
#include "bench/catalog.h"
#include "bench/draws.h"
#include "bench/twin_training.h"
#include "planning/count.h"

namespace memlayers::bench {
namespace {

/// Every byte that torch's allocator hands out while a Watch lives on the thread.
class AllocatedBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
    now_ += bytes;
    peak_ = std::max(peak_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t now() const { return now_; }
  int64_t peak() const { return peak_; }
  void forget_peak() { peak_ = now_; }

 private:
  int64_t now_ = 0, peak_ = 0;
};

using Watch = c10::DebugInfoGuard;
constexpr auto kWatched = c10::DebugInfoKind::PROFILER_STATE;

/// What the step may take by formula: everything that is there between steps exactly, and half as much again for
/// gradients, activations and the temporaries among them, which the formula leaves out.
int64_t limit_of(const planning::ByteCount& bytes) {
  constexpr int64_t kSmallThings = 4 << 20;
  return bytes.weights + bytes.optimizer + (bytes.gradients + bytes.activations) * 3 / 2 + kSmallThings;
}

/// The same with one gradient row for each row that was touched, where the formula must take as many as there could be.
planning::ByteCount bytes_of(const training::TrainConfig& config, int64_t touched_rows) {
  const int64_t element = dtype_name(config) == "float32" ? 4 : 2;
  const layers::MemoryConfig& memory = config.model.memory;
  planning::ByteCount bytes =
      planning::count_bytes(config.model, {.batch_size = config.data.batch_size / config.micro_batches,
                                           .seq_len = config.data.seq_len,
                                           .table_optimizer = config.optimizer.table_optimizer,
                                           .compute_bytes = element,
                                           .micro_batches = config.micro_batches});
  const int64_t entries =
      int64_t(memory.layers.size()) * config.data.batch_size * config.data.seq_len * memory.heads * memory.top_k;
  const int64_t could_be = std::min(memory.num_sub_keys * memory.num_sub_keys, entries);
  bytes.gradients -= (could_be - touched_rows) * (4 * memory.value_dim + 8);
  return bytes;
}

nlohmann::ordered_json verdict(const training::TrainConfig& config, int64_t peak, int64_t touched_rows) {
  const planning::ByteCount bytes = bytes_of(config, touched_rows);
  const int64_t limit = limit_of(bytes);
  const layers::MemoryConfig& memory = config.model.memory;
  const int64_t table =
      memory.num_sub_keys * memory.num_sub_keys * memory.value_dim * (dtype_name(config) == "float32" ? 4 : 2);
  nlohmann::ordered_json found = {{"peak_bytes", peak},
                                  {"limit_bytes", limit},
                                  {"table_bytes", table},
                                  {"kept_bytes", bytes.weights + bytes.optimizer},
                                  {"beyond_bytes", peak - bytes.weights - bytes.optimizer},
                                  {"touched_rows", touched_rows}};
  if (peak > limit) {
    found["failure"] =
        base::concat("a training step took ", peak, " bytes at its peak, and weights, optimizer state and the ",
                     touched_rows, " touched rows allow ", limit);
  }
  return found;
}

Workload train_memory(const training::TrainConfig& config) {
  const auto bytes = std::make_shared<AllocatedBytes>();
  std::shared_ptr<profiling::TrainingSteps> training;
  {
    const Watch watch(kWatched, bytes);
    training = training_on(config, drawn_batches(config));
    training->step();
    bytes->forget_peak();  // of making the model, which is not what is asked
  }
  Workload work;
  work.tokens = training->tokens_of_step();
  work.ours = [=] {
    const Watch watch(kWatched, bytes);
    training->step();
  };
  work.more = [=] { return verdict(config, bytes->peak(), training->touched_rows()); };
  return work;
}

}  // namespace

std::vector<Case> train_memory_cases(const CaseOptions& options) {
  std::vector<Case> all;
  for (const Twins& twins : options.twins) {
    const auto as_it_is = benchable(twins.memory, options.dtype);
    std::vector<training::TrainConfig> configs = {as_it_is};
    // Also with sixteen times the rows, of which a step touches few: a temporary as large as the table would show.
    if (as_it_is.model.hidden_size <= 64) {
      configs.push_back(as_it_is);
      configs.back().model.memory.num_sub_keys *= 4;
    }
    for (const training::TrainConfig& config : configs) {
      nlohmann::ordered_json shape = shape_of(twins.name, config);
      shape["B"] = config.data.batch_size;
      shape["T"] = config.data.seq_len;
      all.push_back({"train_memory",
                     shape,
                     kZipf,
                     dtype_name(config),
                     {},
                     [=] { return train_memory(config); },
                     int(config.threads)});
    }
  }
  return all;
}

}  // namespace memlayers::bench
