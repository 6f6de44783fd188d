#include "evaluation/tables/slot_counter.h"

#include <ATen/ATen.h>

#include "results/slot_usage.h"

namespace memlayers::evaluation {

SlotCounter::SlotCounter(const model::Transformer& model) {
  for (const auto& [name, table] : model.tables()) {
    const auto count = [this, addressing = table->addressing(), rows = static_cast<size_t>(table->rows())](
                           int64_t layer, const at::Tensor& slots, const at::Tensor&) {
      std::vector<int64_t>& reads = reads_[{addressing, layer}];
      reads.resize(rows);
      const at::Tensor flat = slots.to(at::kCPU, at::kLong).contiguous();
      const int64_t* slot = flat.data_ptr<int64_t>();
      for (int64_t i = 0; i < flat.numel(); ++i) ++reads[static_cast<size_t>(slot[i])];
    };
    listening_.push_back(table->listen(count));
  }
}

std::vector<results::SlotUsage> SlotCounter::usage() const {
  std::vector<results::SlotUsage> result;
  for (const auto& [reader, reads] : reads_) {
    result.push_back(results::usage_of(reads));
    result.back().layer = reader.second;
    result.back().table = reader.first == layers::Addressing::kNgrams ? "ngrams" : "memory";
  }
  return result;
}

}  // namespace memlayers::evaluation
