#include "bench/draws.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/random.h"

namespace memlayers::bench {
namespace {

constexpr uint64_t kSeed = 1;

template <class Next>
at::Tensor filled(at::IntArrayRef shape, const Next& next) {
  at::Tensor numbers = at::empty(shape, at::kLong);
  int64_t* number = numbers.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < numbers.numel(); ++i) number[i] = next();
  return numbers;
}

}  // namespace

ZipfDraws::ZipfDraws(int64_t size, uint64_t seed) : cumulative_(size_t(size)), seed_(seed) {
  double total = 0;
  for (int64_t rank = 0; rank < size; ++rank) {
    total += std::pow(double(rank + 1), -kZipfExponent);
    cumulative_[size_t(rank)] = total;
  }
}

at::Tensor ZipfDraws::draw(at::IntArrayRef shape, uint64_t index) const {
  base::RandomStream stream(seed_, "bench zipf", index);
  return filled(shape, [&] {
    const double wanted = stream.uniform() * cumulative_.back();
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, wanted);
    return int64_t(base::permuted(uint64_t(found - cumulative_.begin()), cumulative_.size(), seed_));
  });
}

at::Tensor uniform_draws(int64_t size, at::IntArrayRef shape, uint64_t seed, uint64_t index) {
  base::RandomStream stream(seed, "bench uniform", index);
  return filled(shape, [&] { return int64_t(stream.below(uint64_t(size))); });
}

std::vector<at::Tensor> slot_sets(const std::string& distribution, int64_t size, int64_t tokens, int64_t bag,
                                  int64_t sets, const TrainedReads& trained) {
  std::vector<at::Tensor> result;
  if (distribution == kTrained) {
    assert(trained.num_slots == size && trained.slots.size(1) == bag);
    for (int64_t set = 0; set < sets; ++set) {
      const at::Tensor places =
          at::arange(set * tokens, (set + 1) * tokens, at::kLong).remainder(trained.slots.size(0));
      result.push_back(trained.slots.index_select(0, places));
    }
    return result;
  }
  if (distribution == kZipf) {
    const ZipfDraws zipf(size, kSeed);
    for (int64_t set = 0; set < sets; ++set) result.push_back(zipf.draw({tokens, bag}, uint64_t(set)));
    return result;
  }
  assert(distribution == kUniform);
  for (int64_t set = 0; set < sets; ++set) {
    result.push_back(uniform_draws(size, {tokens, bag}, kSeed, uint64_t(set)));
  }
  return result;
}

std::vector<at::Tensor> distinct_slot_sets(int64_t size, int64_t rows, int64_t tokens, int64_t bag, int64_t sets) {
  assert(sets * rows <= size && tokens * bag % rows == 0);
  std::vector<at::Tensor> result;
  for (int64_t set = 0; set < sets; ++set) {
    std::vector<int64_t> slots(size_t(tokens * bag));
    for (size_t i = 0; i < slots.size(); ++i) {
      const uint64_t place = uint64_t(set * rows) + i % uint64_t(rows);
      slots[i] = int64_t(base::permuted(place, uint64_t(size), kSeed));
    }
    base::RandomStream(kSeed, "bench distinct", uint64_t(set)).shuffle(slots);
    result.push_back(at::tensor(slots, at::kLong).view({tokens, bag}));
  }
  return result;
}

}  // namespace memlayers::bench
