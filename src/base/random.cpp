#include "base/random.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <numbers>

namespace memlayers::base {
namespace {

constexpr uint32_t kMultiplierA = 0xD2511F53, kMultiplierB = 0xCD9E8D57;
constexpr uint32_t kWeylA = 0x9E3779B9, kWeylB = 0xBB67AE85;

// FNV-1a: names of purposes are short and few, all that is asked is that they differ.
uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char character : name) hash = (hash ^ character) * 0x100000001b3;
  return hash;
}

uint64_t first_word_pair(uint64_t key, uint64_t low, uint64_t high) {
  const auto words = philox(key, low, high);
  return uint64_t{words[1]} << 32 | words[0];
}

}  // namespace

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  std::array<uint32_t, 4> c = {uint32_t(counter_low), uint32_t(counter_low >> 32), uint32_t(counter_high),
                               uint32_t(counter_high >> 32)};
  uint32_t key_a = uint32_t(key), key_b = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{kMultiplierA} * c[0], b = uint64_t{kMultiplierB} * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ key_a, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ key_b, uint32_t(a)};
    key_a += kWeylA;
    key_b += kWeylB;
  }
  return c;
}

RandomStream::RandomStream(uint64_t seed, std::string_view purpose, uint64_t index)
    : key_(first_word_pair(seed, hash_name(purpose), 0)), stream_(index) {}

uint64_t RandomStream::next() {
  // One Philox block holds two draws; recomputing it for the second keeps the stream free of hidden state.
  const auto words = philox(key_, counter_ / 2, stream_);
  const int half = 2 * int(counter_ % 2);
  ++counter_;
  return uint64_t{words[half + 1]} << 32 | words[half];
}

uint64_t RandomStream::below(uint64_t bound) {
  assert(bound > 0);
  // Draws under 2^64 mod bound are thrown away, so that every remainder is equally likely.
  const uint64_t threshold = (0 - bound) % bound;
  uint64_t draw = next();
  while (draw < threshold) draw = next();
  return draw % bound;
}

double RandomStream::uniform() { return double(next() >> 11) * 0x1p-53; }

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

void RandomStream::set_position(uint64_t counter) { counter_ = counter; }

uint64_t permuted(uint64_t index, uint64_t size, uint64_t key) {
  assert(index < size);
  const int half_bits = std::max(1, int(std::bit_width(size - 1) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t value = index;
  do {  // cycle walking: the Feistel network permutes a power of four at least as large as `size`
    uint64_t left = value >> half_bits, right = value & mask;
    for (uint64_t round = 0; round < 6; ++round) {
      const uint64_t mixed = left ^ (first_word_pair(key, right, round) & mask);
      left = right;
      right = mixed;
    }
    value = left << half_bits | right;
  } while (value >= size);
  return value;
}

}  // namespace memlayers::base
