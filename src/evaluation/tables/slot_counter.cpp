#include "evaluation/tables/slot_counter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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
    result.push_back(slot_usage(reader.second, reads));
    result.back().table = reader.first == layers::Addressing::kNgrams ? "ngrams" : "memory";
  }
  return result;
}

results::SlotUsage slot_usage(int64_t layer, std::vector<int64_t> reads) {
  std::sort(reads.rbegin(), reads.rend());
  const size_t slots = reads.size();
  const double total = static_cast<double>(std::accumulate(reads.begin(), reads.end(), int64_t{0}));
  results::SlotUsage usage;
  usage.layer = layer;
  usage.slots = static_cast<int64_t>(slots);
  usage.read_share.assign(100, 0.0);
  if (total == 0) return usage;
  size_t used = 0;
  for (size_t i = 0; i < slots; ++i) {
    const double share = static_cast<double>(reads[i]) / total;
    usage.read_share[i * 100 / slots] += share;
    if (share > 0) {
      ++used;
      usage.kl_to_uniform += share * std::log(share * static_cast<double>(slots));
    }
  }
  usage.used_share = static_cast<double>(used) / static_cast<double>(slots);
  usage.top_percent_share = usage.read_share[0];
  return usage;
}

}  // namespace memlayers::evaluation
