#include "layers/memory_table.h"

#include "base/error.h"

namespace memlayers::layers {

at::Tensor MemoryTable::bag(const at::Tensor& slots, const at::Tensor& weights) {
  if (keeper_ != nullptr) keeper_->bring_up_to_date(slots);
  return read_bag(slots, weights);
}

at::Tensor MemoryTable::dots(const at::Tensor& slots, const at::Tensor& x) {
  if (keeper_ != nullptr) keeper_->bring_up_to_date(slots);
  return read_dots(slots, x);
}

at::Tensor MemoryTable::range(int64_t begin, int64_t end) {
  if (keeper_ != nullptr) keeper_->bring_all_up_to_date();
  return read_range(begin, end);
}

const at::Tensor* MemoryTable::direct_rows() {
  if (keeper_ != nullptr) keeper_->bring_all_up_to_date();
  return rows_in_memory();
}

void MemoryTable::set_keeper(RowKeeper* keeper) {
  base::check(keeper == nullptr || keeper_ == nullptr, name(),
              ": its rows are kept by another optimizer already; let that one go first");
  keeper_ = keeper;
}

MemoryTable::Listening MemoryTable::listen(Listener listener) {
  std::erase_if(listeners_, [](const auto& held) { return held.expired(); });
  Listening listening(std::move(listener));
  listeners_.push_back(listening.listener_);
  return listening;
}

void MemoryTable::tell_listeners(int64_t layer, const at::Tensor& slots, const at::Tensor& weights) const {
  for (size_t i = 0; i < listeners_.size(); ++i) {  // by index: who is told may come or go
    if (const auto listener = listeners_[i].lock()) (*listener)(layer, slots, weights);
  }
}

}  // namespace memlayers::layers
