// Counts which slots a model reads while it is alive, layer by layer; a block may have a memory and an n-gram layer.
#pragma once

#include <map>

#include "model/transformer.h"
#include "results/comparison.h"

namespace memlayers::evaluation {

class SlotCounter {
 public:
  /// Listens to every table.
  explicit SlotCounter(const model::Transformer& model);
  SlotCounter(const SlotCounter&) = delete;  // the listeners keep its address
  SlotCounter& operator=(const SlotCounter&) = delete;

  /// One entry per memory layer, layers ascending, then one per n-gram layer.
  std::vector<results::SlotUsage> usage() const;

 private:
  std::map<std::pair<layers::Addressing, int64_t>, std::vector<int64_t>> reads_;  // layer -> reads of each slot
  std::vector<layers::MemoryTable::Listening> listening_;
};

}  // namespace memlayers::evaluation
