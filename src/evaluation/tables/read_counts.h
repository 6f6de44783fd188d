// How often each head of each memory layer read each slot, and what that says: dead, hot and shared slots.
#pragma once

#include <map>

#include "evaluation/tables/read_sweep.h"
#include "results/inspection.h"

namespace memlayers::evaluation {

class ReadCounts {
 public:
  struct Table {
    std::string name;
    int64_t slots = 0;
  };
  /// Counters for the tables of a model whose layers have `heads` heads: 4 bytes a slot, layer and head.
  ReadCounts(std::vector<Table> tables, int64_t heads);

  void add(const TokenRead& read);
  /// Fills tables, layers, heads and pairs; `top` slots a table in most_read. Slots are hot as HeadUse says.
  void summarize(double hot_factor, int64_t top, results::Inspection& inspection) const;

  /// 0 for a layer that read nothing yet.
  int64_t reads(int64_t layer, int64_t head, int64_t slot) const;
  int64_t layer_reads(int64_t layer, int64_t slot) const;
  /// By all layers that read this table.
  int64_t table_reads(int64_t table, int64_t slot) const;

 private:
  struct Layer {
    int64_t table = 0;
    std::vector<std::vector<uint32_t>> heads;  // [H][S]
  };
  std::vector<int64_t> all_heads(const Layer& layer) const;
  results::TableUse table_use(int64_t table, int64_t top, std::vector<results::LayerPair>& pairs) const;

  std::vector<Table> tables_;
  int64_t heads_;
  std::map<int64_t, Layer> layers_;
};

/// `reads` [S] of one layer or head: dead and hot slots, and how the reads spread.
results::HeadUse head_use(int64_t layer, int64_t head, int64_t table, const std::vector<int64_t>& reads,
                          double hot_factor);

}  // namespace memlayers::evaluation
