#include "evaluation/tables/slot_counter.h"

#include <ATen/ATen.h>

#include "results/slot_usage.h"

namespace memlayers::evaluation {

SlotCounter::SlotCounter(const model::Transformer& model) {
  for (const auto& named : model.tables()) {
    const std::shared_ptr<layers::MemoryTable>& table = named.table;
    const Hook previous = table->after_read;
    before_.emplace_back(table, previous);
    const auto slots_of_table = static_cast<size_t>(table->weight.size(0));
    const layers::Addressing addressing = table->addressing;
    table->after_read = [this, previous, addressing, slots_of_table](int64_t layer, const at::Tensor& slots,
                                                                     const at::Tensor& weights) {
      if (previous) previous(layer, slots, weights);
      std::vector<int64_t>& reads = reads_[{addressing, layer}];
      reads.resize(slots_of_table);
      const at::Tensor flat = slots.to(at::kCPU, at::kLong).contiguous();
      const int64_t* slot = flat.data_ptr<int64_t>();
      for (int64_t i = 0; i < flat.numel(); ++i) ++reads[static_cast<size_t>(slot[i])];
    };
  }
}

SlotCounter::~SlotCounter() {
  for (auto& [table, hook] : before_) table->after_read = hook;
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
