// Random numbers without state: every number is a function of a key and a counter.
//
// A stream is named by (seed, purpose, index); drawing does not depend on threads or on what else was drawn, and
// resuming needs no saved generator. Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3").
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace memlayers::base {

/// Four random words for (key, counter).
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high = 0);

class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view purpose, uint64_t index = 0);

  uint64_t next();                 // 64 random bits
  uint64_t below(uint64_t bound);  // uniform in [0, bound), exact; bound > 0
  double uniform();                // [0, 1), 53 bits
  double normal();                 // mean 0, deviation 1 (Box-Muller)
  template <class T>
  void shuffle(std::vector<T>& items) {  // Fisher-Yates
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

  /// Position in the stream; a stream built with equal arguments and set to it continues equally.
  uint64_t position() const { return counter_; }
  void set_position(uint64_t counter);

 private:
  uint64_t key_, stream_, counter_ = 0;
};

/// A permutation of [0, size) evaluated at one point, without storing it (Feistel network with cycle walking).
uint64_t permuted(uint64_t index, uint64_t size, uint64_t key);

}  // namespace memlayers::base
