// Inputs that change from call to call: rows that the last call left in the caches would flatter the next one.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace memlayers::bench {

/// Hands out its items one after another, from the first again after the last. Copies share the items, not the place.
template <class T>
class Rotation {
 public:
  explicit Rotation(std::vector<T> items) : items_(std::make_shared<const std::vector<T>>(std::move(items))) {}

  const T& next() {
    const T& item = (*items_)[place_];
    place_ = (place_ + 1) % items_->size();
    return item;
  }
  const T& first() const { return items_->front(); }
  size_t size() const { return items_->size(); }

 private:
  std::shared_ptr<const std::vector<T>> items_;
  size_t place_ = 0;
};

}  // namespace memlayers::bench
