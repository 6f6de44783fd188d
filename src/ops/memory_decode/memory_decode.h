// A small memory layer for a few tokens, in one call: for decoding, where the layer's arithmetic takes less time than
// the calls that it is made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::ops {

/// y = x W^T + b.
struct Projection {
  at::Tensor weight, bias;  // [out, in], [out]; both float32
};

/// What a memory layer multiplies with. All float32.
struct MemoryWeights {
  Projection query;                       // d -> H * K
  std::optional<at::Tensor> query_scale;  // [2, K/2], of rms_norm; none: queries are taken as they are
  double eps = 0;                         // of that norm
  at::Tensor sub_keys;                    // [H, 2, n, K/2], normed where they are to be
  int64_t k = 0;
  std::optional<Projection> gate;  // W1, d -> D; none: the output is plain
  std::optional<Projection> out;   // W2, D -> d; none: D is d
};

/// The same, in the order in which it is multiplied: a copy, later changes of the weights do not show.
struct PackedMemory {
  at::Tensor query_panels, query_bias;
  std::optional<at::Tensor> query_scale;
  double eps = 0;
  PackedSubKeys sub_keys;
  int64_t k = 0;
  std::optional<at::Tensor> gate_panels, gate_bias, out_panels, out_bias;
};

/// Throws base::UsageError: a weight and its bias do not fit. What else has to fit, decode_memory looks at.
PackedMemory pack_memory(const MemoryWeights& weights);

struct DecodedMemory {
  at::Tensor output;   // [N, d]
  at::Tensor slots;    // [N, H * k] int64
  at::Tensor weights;  // [N, H * k]
};

/// The layer's output, and the slots and weights of each token: paper section 3, eq. 1 and 2. x [N, d] float32 on the
/// CPU, contiguous; table [n * n, D] float32 or bfloat16 (the bag is rounded to it, as memory_bag does). N may be 0.
/// A token's result does not depend on the batch it is in, nor on the number of threads.
/// Not differentiable, and leaves no records.
/// Throws base::UsageError: shapes or dtypes that do not fit.
DecodedMemory decode_memory(const at::Tensor& x, const PackedMemory& memory, const at::Tensor& table);

/// Whether a layer of these sizes is small enough to gain by it; larger ones are left to the matrix library.
/// `projections` counts those between d and D, gate and out.
bool decodes_at_once(int64_t hidden, int64_t heads, int64_t key_dim, int64_t num_sub_keys, int64_t value_dim,
                     int projections);

}  // namespace memlayers::ops
