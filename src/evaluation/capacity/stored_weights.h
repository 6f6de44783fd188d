// A model's weights as a file of fewer bits a number would hold them: rounded in place, and counted in bytes.
#pragma once

#include "results/capacity.h"

namespace memlayers::model {
class Transformer;
}

namespace memlayers::evaluation {

/// Rounds the tables to `tables`, and every other matrix (linear layers, experts, sub-keys, embedding, head) to
/// `weights`:
/// bfloat16 to nearest even, int8 and int4 row by row with a float32 scale a row (ops/quantized_bag/quantized_rows.h).
/// Vectors and norms stay as they are. The model computes on in float32 with the rounded values. Throws
/// base::UsageError: a row that is not finite.
results::StoredSize store_weights(model::Transformer& model, results::StoredFormat tables,
                                  results::StoredFormat weights);

}  // namespace memlayers::evaluation
