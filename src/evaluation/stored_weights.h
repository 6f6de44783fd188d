// A model's weights as a file of fewer bits a number would hold them: rounded in place, and counted in bytes.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

namespace memlayers::model {
class Transformer;
}

namespace memlayers::evaluation {

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

/// Rounds the tables to `tables`, and every other matrix (linear layers, experts, sub-keys, embedding, head) to `weights`:
/// bfloat16 to nearest even, int8 and int4 row by row with a float32 scale a row (ops/memory_bag/quantized_rows.h). Vectors
/// and norms stay as they are. The model computes on in float32 with the rounded values. Throws base::UsageError: a row
/// that is not finite.
StoredSize store_weights(model::Transformer& model, StoredFormat tables, StoredFormat weights);

}  // namespace memlayers::evaluation
