// The n-gram layers' options. Letters as in docs/notation.md.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/config.h"

namespace memlayers::layers {

struct NgramConfig {
  base::IndexList layers;
  std::vector<int64_t> orders = {2, 3};
  int64_t hashes = 4;
  int64_t rows = 65536;
  int64_t value_dim = 0;  // 0: hidden_size / G
  bool shared_table = false;

  /// G, rows that a token reads in one layer.
  int64_t reads() const { return static_cast<int64_t>(orders.size()) * hashes; }

  static constexpr auto fields() {
    using base::field;
    using C = NgramConfig;
    return std::tuple{
        field("layers", &C::layers, "blocks with an n-gram layer before attention, 0-based, or all; empty: none"),
        field("orders", &C::orders, "lengths of the n-grams that end at a token and are looked up"),
        field("hashes", &C::hashes, "independent hashes of each order; G = orders * hashes rows are read a token"),
        field("rows", &C::rows, "rows that one hash of one order chooses from; the table has G times as many"),
        field("value_dim", &C::value_dim, "D, width of a row; 0: hidden_size / G"),
        field("shared_table", &C::shared_table, "one table for all n-gram layers, or one each"),
    };
  }
};

}  // namespace memlayers::layers
