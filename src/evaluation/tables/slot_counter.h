// Counts which slots a model reads while it is alive, layer by layer; a block may have a memory and an n-gram layer.
#pragma once

#include <functional>
#include <map>

#include "model/transformer.h"
#include "results/comparison.h"

namespace memlayers::evaluation {

class SlotCounter {
 public:
  /// Hooks into every table's after_read (calling what was there before as well); the destructor takes the hook out.
  explicit SlotCounter(const model::Transformer& model);
  ~SlotCounter();
  SlotCounter(const SlotCounter&) = delete;
  SlotCounter& operator=(const SlotCounter&) = delete;

  /// One entry per memory layer, layers ascending, then one per n-gram layer.
  std::vector<results::SlotUsage> usage() const;

 private:
  using Hook = std::function<void(int64_t, const at::Tensor&, const at::Tensor&)>;
  std::vector<std::pair<std::shared_ptr<layers::MemoryTable>, Hook>> before_;
  std::map<std::pair<layers::Addressing, int64_t>, std::vector<int64_t>> reads_;  // layer -> reads of each slot
};

}  // namespace memlayers::evaluation
