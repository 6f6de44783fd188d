#include "results/slot_usage.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace memlayers::results {

SlotUsage usage_of(std::span<const int64_t> reads) {
  constexpr int64_t kParts = 100;
  SlotUsage usage;
  usage.slots = static_cast<int64_t>(reads.size());
  usage.read_share.assign(kParts, 0.0);
  // Few counts differ, so sorting these is much less than sorting the slots.
  std::unordered_map<int64_t, int64_t> slots_of;
  int64_t total = 0;
  for (const int64_t count : reads) {
    if (count == 0) continue;
    ++slots_of[count];
    total += count;
  }
  std::vector<std::pair<int64_t, int64_t>> most_first(slots_of.begin(), slots_of.end());
  std::sort(most_first.rbegin(), most_first.rend());
  int64_t rank = 0;
  for (const auto& [count, slots] : most_first) {
    const double share = static_cast<double>(count) / static_cast<double>(total);
    usage.kl_to_uniform += static_cast<double>(slots) * share * std::log(share * static_cast<double>(usage.slots));
    for (const int64_t end = rank + slots; rank < end;) {
      const int64_t part = rank * kParts / usage.slots;
      const int64_t next = std::min(end, ((part + 1) * usage.slots + kParts - 1) / kParts);
      usage.read_share[static_cast<size_t>(part)] += static_cast<double>(next - rank) * share;
      rank = next;
    }
  }
  usage.kl_to_uniform = std::max(0.0, usage.kl_to_uniform);
  usage.used_share = static_cast<double>(rank) / static_cast<double>(usage.slots);
  usage.top_percent_share = usage.read_share[0];
  return usage;
}

}  // namespace memlayers::results
