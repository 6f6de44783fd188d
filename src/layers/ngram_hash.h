// Which row an n-gram addresses: integer arithmetic modulo 2^64 and nothing else, so that every machine and backend
// finds the same row. A trained table is worth nothing under another hash: tests/layers/ngram_layer_test.cpp holds
// golden values.
//
// Each token goes through a bijection of 64 bits in which every bit of the input moves half of the output's (the
// finalizer of SplitMix64, Steele et al. 2014, with Stafford's constants). So two n-grams of one key meet in the 64
// bits by chance alone, and a remainder of them is even to rows / 2^64: tables may have any number of rows, no prime is
// needed.
#pragma once

#include <cstdint>

namespace memlayers::layers {

/// Stands for a token before the document's first.
constexpr int64_t kNoToken = -1;

constexpr uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// What tells hashes apart: the table (counted from 0), the n-gram's order and the hash's number.
constexpr uint64_t ngram_key(int64_t table, int64_t order, int64_t hash) {
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;  // 2^64 over the golden ratio: zeros do not stay zeros
  uint64_t key = mix_bits(static_cast<uint64_t>(table) + kOdd);
  key = mix_bits(key ^ static_cast<uint64_t>(order));
  return mix_bits(key ^ (static_cast<uint64_t>(hash) + kOdd));
}

/// Takes one more token, the newest first; begins with a key.
constexpr uint64_t ngram_append(uint64_t state, int64_t token) {
  return mix_bits(state ^ static_cast<uint64_t>(token + 1));  // kNoToken: 0
}

/// In [0, rows).
constexpr int64_t ngram_row(uint64_t state, int64_t rows) {
  return static_cast<int64_t>(state % static_cast<uint64_t>(rows));
}

}  // namespace memlayers::layers
