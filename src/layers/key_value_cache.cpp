#include "layers/key_value_cache.h"

#include <ATen/ATen.h>

#include <cassert>

#include "base/error.h"

namespace memlayers::layers {
namespace {

constexpr int64_t kSmallestCapacity = 64;

// Room for `needed` positions; grows by doubling, so that appending one by one copies little.
void reserve(at::Tensor& held, const at::Tensor& like, int64_t length, int64_t needed) {
  if (held.defined() && held.size(2) >= needed) return;
  int64_t capacity = kSmallestCapacity;
  while (capacity < needed) capacity *= 2;
  at::Tensor grown = at::empty({like.size(0), like.size(1), capacity, like.size(3)}, like.options());
  if (length > 0) grown.narrow(2, 0, length).copy_(held.narrow(2, 0, length));
  held = grown;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KeyValueCache::append(int64_t layer, const at::Tensor& keys,
                                                        const at::Tensor& values) {
  assert(!keys.requires_grad() && layer >= 0);
  if (static_cast<size_t>(layer) >= layers_.size()) layers_.resize(static_cast<size_t>(layer) + 1);
  Layer& held = layers_[static_cast<size_t>(layer)];
  base::check(length_ == 0 || (held.keys.defined() && held.keys.size(0) == keys.size(0)), "key/value cache: it holds ",
              held.keys.defined() ? held.keys.size(0) : 0, " sequences, got a batch of ", keys.size(0),
              "; start an empty cache for another batch");
  if (length_ == 0 && held.keys.defined() && held.keys.size(0) != keys.size(0)) held = {};
  const int64_t added = keys.size(2), total = length_ + added;
  reserve(held.keys, keys, length_, total);
  reserve(held.values, values, length_, total);
  held.keys.narrow(2, length_, added).copy_(keys);
  held.values.narrow(2, length_, added).copy_(values);
  return {held.keys.narrow(2, 0, total), held.values.narrow(2, 0, total)};
}

void KeyValueCache::truncate(int64_t length) {
  base::check(length >= 0 && length <= length_, "key/value cache: cannot keep ", length, " of ", length_, " positions");
  length_ = length;
}

void KeyValueCache::keep_rows(const at::Tensor& rows) {
  for (Layer& layer : layers_) {
    layer.keys = layer.keys.index_select(0, rows);
    layer.values = layer.values.index_select(0, rows);
  }
}

}  // namespace memlayers::layers
