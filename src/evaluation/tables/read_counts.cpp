#include "evaluation/tables/read_counts.h"

#include <algorithm>
#include <numeric>

#include "results/slot_usage.h"

namespace memlayers::evaluation {

results::HeadUse head_use(int64_t layer, int64_t head, int64_t table, const std::vector<int64_t>& reads,
                          double hot_factor) {
  results::HeadUse use;
  use.layer = layer;
  use.head = head;
  use.table = table;
  use.reads = std::accumulate(reads.begin(), reads.end(), int64_t{0});
  use.dead = std::count(reads.begin(), reads.end(), int64_t{0});
  const double even = static_cast<double>(use.reads) / static_cast<double>(reads.size());
  use.hot = std::count_if(reads.begin(), reads.end(),
                          [&](int64_t count) { return count > 1 && static_cast<double>(count) >= hot_factor * even; });
  use.spread = results::usage_of(reads);
  use.spread.layer = layer;
  return use;
}

ReadCounts::ReadCounts(std::vector<Table> tables, int64_t heads) : tables_(std::move(tables)), heads_(heads) {}

void ReadCounts::add(const TokenRead& read) {
  Layer& layer = layers_[read.layer];
  if (layer.heads.empty()) {
    layer.table = read.table;
    layer.heads.assign(heads_, std::vector<uint32_t>(tables_[read.table].slots));
  }
  const size_t top_k = read.slots.size() / static_cast<size_t>(heads_);
  for (size_t i = 0; i < read.slots.size(); ++i) ++layer.heads[i / top_k][read.slots[i]];
}

int64_t ReadCounts::reads(int64_t layer, int64_t head, int64_t slot) const {
  const auto found = layers_.find(layer);
  return found == layers_.end() ? 0 : found->second.heads[head][slot];
}

int64_t ReadCounts::layer_reads(int64_t layer, int64_t slot) const {
  int64_t sum = 0;
  for (int64_t head = 0; head < heads_; ++head) sum += reads(layer, head, slot);
  return sum;
}

int64_t ReadCounts::table_reads(int64_t table, int64_t slot) const {
  int64_t sum = 0;
  for (const auto& [index, layer] : layers_) sum += layer.table == table ? layer_reads(index, slot) : 0;
  return sum;
}

std::vector<int64_t> ReadCounts::all_heads(const Layer& layer) const {
  std::vector<int64_t> sum(layer.heads[0].size());
  for (const auto& head : layer.heads) {
    for (size_t slot = 0; slot < sum.size(); ++slot) sum[slot] += head[slot];
  }
  return sum;
}

results::TableUse ReadCounts::table_use(int64_t table, int64_t top, std::vector<results::LayerPair>& pairs) const {
  results::TableUse use;
  use.name = tables_[table].name;
  use.slots = tables_[table].slots;
  std::vector<std::vector<int64_t>> counts;
  for (const auto& [index, layer] : layers_) {
    if (layer.table != table) continue;
    use.layers.push_back(index);
    counts.push_back(all_heads(layer));
  }
  use.read_by.assign(counts.size() + 1, 0);
  std::vector<int64_t> sums(use.slots), used(counts.size());
  std::vector<std::vector<int64_t>> both(counts.size(), std::vector<int64_t>(counts.size()));
  for (int64_t slot = 0; slot < use.slots; ++slot) {
    size_t readers = 0;
    for (size_t a = 0; a < counts.size(); ++a) {
      sums[slot] += counts[a][slot];
      if (counts[a][slot] == 0) continue;
      ++readers;
      ++used[a];
      for (size_t b = 0; b < a; ++b) both[b][a] += counts[b][slot] > 0 ? 1 : 0;
    }
    ++use.read_by[readers];
  }
  for (size_t a = 0; a < counts.size(); ++a) {
    for (size_t b = a + 1; b < counts.size(); ++b) {
      pairs.push_back({table, use.layers[a], use.layers[b], both[a][b],
                       static_cast<double>(used[a]) * static_cast<double>(used[b]) / static_cast<double>(use.slots)});
    }
  }
  std::vector<int64_t> order(use.slots);
  std::iota(order.begin(), order.end(), int64_t{0});
  const int64_t kept = std::min(top, use.slots);
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](int64_t a, int64_t b) { return sums[a] != sums[b] ? sums[a] > sums[b] : a < b; });
  for (int64_t i = 0; i < kept && sums[order[i]] > 0; ++i) {
    results::ReadSlot read{order[i], sums[order[i]], {}};
    for (const auto& count : counts) read.by_layer.push_back(count[order[i]]);
    use.most_read.push_back(std::move(read));
  }
  return use;
}

void ReadCounts::summarize(double hot_factor, int64_t top, results::Inspection& inspection) const {
  for (const auto& [index, layer] : layers_) {
    inspection.layers.push_back(head_use(index, results::kAllHeads, layer.table, all_heads(layer), hot_factor));
    for (int64_t head = 0; head < heads_; ++head) {
      const std::vector<int64_t> reads(layer.heads[head].begin(), layer.heads[head].end());
      inspection.heads.push_back(head_use(index, head, layer.table, reads, hot_factor));
    }
  }
  for (size_t table = 0; table < tables_.size(); ++table) {
    inspection.tables.push_back(table_use(static_cast<int64_t>(table), top, inspection.pairs));
  }
}

}  // namespace memlayers::evaluation
