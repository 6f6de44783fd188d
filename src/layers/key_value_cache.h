// The attention keys and values of all positions read so far, and where a model asks their tokens, for decoding.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace memlayers::layers {

/// Starts empty (KeyValueCache cache;) and fits any model: the first forward pass gives it its shape. Not
/// differentiable.
class KeyValueCache {
 public:
  /// Positions held: every layer has this many once a forward pass is over.
  int64_t length() const { return length_; }
  /// Appends [B, heads, T, head_dim] after `length()` for one layer, and returns that layer's keys and values so far,
  /// [B, heads, length() + T, head_dim] (views that the next append may overwrite).
  std::pair<at::Tensor, at::Tensor> append(int64_t layer, const at::Tensor& keys, const at::Tensor& values);
  /// Appends token ids [B, T] int64 after `length()` and returns those so far, [B, length() + T] (a view likewise), for
  /// models whose layers look at tokens before the ones given.
  at::Tensor append_tokens(const at::Tensor& tokens);
  /// After all layers appended: the new positions count.
  void advance(int64_t positions) { length_ += positions; }
  /// Forgets positions from `length` on.
  void truncate(int64_t length);
  /// Keeps only these batch rows ([R] int64, any order, may repeat).
  void keep_rows(const at::Tensor& rows);

 private:
  struct Layer {
    at::Tensor keys, values;  // [B, heads, capacity, head_dim]
  };
  std::vector<Layer> layers_;
  at::Tensor tokens_;  // [B, capacity]; undefined where nobody asks
  int64_t length_ = 0;
};

inline void keep_rows(KeyValueCache& cache, const at::Tensor& rows) { cache.keep_rows(rows); }

}  // namespace memlayers::layers
