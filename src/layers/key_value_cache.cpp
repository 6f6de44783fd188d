#include "layers/key_value_cache.h"

#include <ATen/ATen.h>

#include <cassert>

#include "base/error.h"

namespace memlayers::layers {
namespace {

constexpr int64_t kSmallestCapacity = 64;

// Room for `needed` positions along dimension `dim`; grows by doubling, so that appending one by one copies little.
void reserve(at::Tensor& held, const at::Tensor& like, int64_t dim, int64_t length, int64_t needed) {
  if (held.defined() && held.size(dim) >= needed) return;
  std::vector<int64_t> shape = like.sizes().vec();
  int64_t& capacity = shape[static_cast<size_t>(dim)];
  capacity = kSmallestCapacity;
  while (capacity < needed) capacity *= 2;
  at::Tensor grown = at::empty(shape, like.options());
  if (length > 0) grown.narrow(dim, 0, length).copy_(held.narrow(dim, 0, length));
  held = grown;
}

// A cache in use takes one batch only; an empty one forgets what it held for another.
void check_batch(at::Tensor& held, int64_t sequences, int64_t length) {
  base::check(length == 0 || (held.defined() && held.size(0) == sequences), "key/value cache: it holds ",
              held.defined() ? held.size(0) : 0, " sequences, got a batch of ", sequences,
              "; start an empty cache for another batch");
  if (length == 0 && held.defined() && held.size(0) != sequences) held.reset();
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KeyValueCache::append(int64_t layer, const at::Tensor& keys,
                                                        const at::Tensor& values) {
  assert(!keys.requires_grad() && layer >= 0);
  if (static_cast<size_t>(layer) >= layers_.size()) layers_.resize(static_cast<size_t>(layer) + 1);
  Layer& held = layers_[static_cast<size_t>(layer)];
  check_batch(held.keys, keys.size(0), length_);
  check_batch(held.values, keys.size(0), length_);
  const int64_t added = keys.size(2), total = length_ + added;
  reserve(held.keys, keys, 2, length_, total);
  reserve(held.values, values, 2, length_, total);
  held.keys.narrow(2, length_, added).copy_(keys);
  held.values.narrow(2, length_, added).copy_(values);
  return {held.keys.narrow(2, 0, total), held.values.narrow(2, 0, total)};
}

at::Tensor KeyValueCache::append_tokens(const at::Tensor& tokens) {
  check_batch(tokens_, tokens.size(0), length_);
  const int64_t added = tokens.size(1), total = length_ + added;
  reserve(tokens_, tokens, 1, length_, total);
  tokens_.narrow(1, length_, added).copy_(tokens);
  return tokens_.narrow(1, 0, total);
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
  if (tokens_.defined()) tokens_ = tokens_.index_select(0, rows);
}

}  // namespace memlayers::layers
