// Bits of knowledge that a model holds (docs/capacity.md derives them), and the bytes that hold them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace memlayers::results {

enum class StoredFormat { kFloat32, kBFloat16, kInt8, kInt4 };
constexpr auto enum_names(StoredFormat) {
  using enum StoredFormat;
  return std::array{std::pair{kFloat32, "float32"}, std::pair{kBFloat16, "bfloat16"}, std::pair{kInt8, "int8"},
                    std::pair{kInt4, "int4"}};
}

struct StoredSize {
  int64_t parameters = 0;     // every trained number: tables, norms and biases too; a tied head once
  int64_t non_embedding = 0;  // without the token embedding and the output head
  int64_t table_parameters = 0;
  int64_t bytes = 0;        // as stored: codes and scales; norms, biases and buffers are float32
  int64_t table_bytes = 0;  // of `bytes`
};

/// A number of bits with the interval that holds 95 % of what other draws of the people measured give (bootstrap).
struct Bits {
  double value = 0, low = 0, high = 0;
};

/// One attribute, over the people of the data. Nats are those of its value's tokens given the name, summed, mean over
/// people.
struct AttributeCapacity {
  std::string name;
  int64_t values = 1;        // S_a, equally likely
  double trained_nats = 0;   // in trained wordings
  double held_out_nats = 0;  // in held-out ones
  Bits stored, extractable;  // people * max(0, log2 S_a - nats / ln 2), trained and held out
  double most_bits = 0;      // people * log2 S_a
};

struct Capacity {
  int64_t people = 0, measured = 0;  // of the data; of them scored
  int64_t names = 0;                 // N0

  double name_nats = 0;       // of a name's tokens after `name_opening`, summed, mean over people
  std::string name_opening;   // the one of CapacityPassages::openings() with fewer nats
  Bits name;                  // people * max(0, log2 N0 - nats / ln 2)
  double most_name_bits = 0;  // people * log2(N0 / people): a name cannot be likelier than 1 / people for all of them
  std::vector<AttributeCapacity> attributes;

  Bits values_stored, values_extractable;  // sums over attributes
  Bits stored;                             // name and values_stored
  double most_bits = 0;                    // that `stored` can reach

  StoredSize size;  // zero where only probabilities were given
  StoredFormat table_format = StoredFormat::kFloat32, weight_format = StoredFormat::kFloat32;
};

}  // namespace memlayers::results
