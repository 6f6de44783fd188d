// Slots and tokens as benchmarks read them: spread evenly, by Zipf's law, or as a trained model reads them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace memlayers::bench {

inline constexpr double kZipfExponent = 1.05;
inline constexpr const char* kUniform = "uniform";
inline constexpr const char* kZipf = "zipf 1.05";
inline constexpr const char* kTrained = "trained";

/// Numbers in [0, size) with probability proportional to 1 / (rank + 1)^1.05, where ranks are scattered over the range:
/// popular rows do not lie side by side.
class ZipfDraws {
 public:
  ZipfDraws(int64_t size, uint64_t seed);
  /// `shape` int64; a function of (seed, index).
  at::Tensor draw(at::IntArrayRef shape, uint64_t index) const;

 private:
  std::vector<double> cumulative_;
  uint64_t seed_;
};

at::Tensor uniform_draws(int64_t size, at::IntArrayRef shape, uint64_t seed, uint64_t index);

/// The slots that a trained model's memory layers read while it reads its own training data.
struct TrainedReads {
  at::Tensor slots;  // [tokens, H * k] int64; undefined: no run was named
  int64_t num_slots = 0, heads = 0, top_k = 0, value_dim = 0;
};

/// `sets` tensors [tokens, bag] int64 in [0, size). `trained` slots are dealt out in order, from the start again where
/// they do not suffice.
std::vector<at::Tensor> slot_sets(const std::string& distribution, int64_t size, int64_t tokens, int64_t bag,
                                  int64_t sets, const TrainedReads& trained);

/// `sets` tensors [tokens, bag] of `rows` distinct slots each, every one read equally often (tokens * bag / rows
/// times), in random order. No slot is in two sets, so sets * rows must be at most `size`.
std::vector<at::Tensor> distinct_slot_sets(int64_t size, int64_t rows, int64_t tokens, int64_t bag, int64_t sets);

}  // namespace memlayers::bench
