// The memory layer: a query, the k best slots of each head by product keys, the weighted sum of their rows.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "layers/context.h"
#include "layers/linear.h"
#include "layers/memory_config.h"
#include "layers/memory_table.h"
#include "ops/memory_decode/memory_decode.h"

namespace memlayers::layers {

/// One table of values, or PEER's two.
struct MemoryTables {
  std::shared_ptr<MemoryTable> values;  // peer: the second table ("up")
  std::shared_ptr<MemoryTable> down;    // peer only: the first
};

class MemoryLayer {
 public:
  /// `config` is complete (no zero left for a rule to fill). `layer` is the block's index, for the table's callbacks.
  MemoryLayer(const MemoryConfig& config, int64_t hidden, double norm_eps, int64_t layer, MemoryTables tables);

  /// x [.., d] -> [.., d] in x's dtype. Scores and weights are float32 (float64 for float64) whatever x is. Trains the
  /// parameters through autograd and leaves the tables' gradient as records. Paper section 3, eq. 1 and 2.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;

  /// The slots and weights of every token, [N, H*k], without reading a row; in training with random_reads r, [N, H*(k + r)].
  /// x [N, d].
  struct Bag {
    at::Tensor slots, weights;
    at::Tensor sink_weight;  // [N, 1], of all heads together; undefined without softmax_sink
  };
  Bag choose(const at::Tensor& x, const ForwardContext& context) const;

  /// Appends NAME.{query_proj,sub_keys,...} in checkpoint order.
  void collect(const std::string& name, ParameterList& parameters, ParameterList& buffers);

 private:
  /// Query batch-norm outside of training, as one multiplication and addition per number. [H*K]
  struct QueryAffine {
    at::Tensor scale, shift;
  };
  /// What decoding keeps from token to token.
  struct Prepared {
    std::array<at::Tensor, 13> from = {};  // what it was made of; held, so that no other tensor takes its place
    std::array<int64_t, 13> versions = {};
    at::ScalarType dtype = at::kFloat;
    bool at_once = false;
    ops::PackedMemory layer = {};  // of a layer that is decoded in one call
    ops::PackedSubKeys keys = {};  // of any other, and
    QueryAffine affine = {};       // this
  };

  std::array<at::Tensor, 13> decoding_parameters() const;
  at::Tensor keys(at::ScalarType dtype) const;
  at::Tensor sink_key(at::ScalarType dtype) const;
  const Prepared& prepared(at::ScalarType dtype, bool at_once) const;
  at::Tensor project(const at::Tensor& x, const ForwardContext& context, const Prepared* ready) const;
  at::Tensor query(const at::Tensor& x, const ForwardContext& context, const Prepared* ready) const;
  QueryAffine query_affine(at::ScalarType dtype) const;
  at::Tensor read(const at::Tensor& x, const Bag& bag, const ForwardContext& context) const;
  static bool is_decoding(const ForwardContext& context);
  bool decodes_at_once(const at::Tensor& x, const ForwardContext& context) const;
  ops::PackedMemory pack() const;
  /// All of forward() but the scalar gate, in one call. x [N, d].
  at::Tensor decode_at_once(const at::Tensor& x) const;
  at::Tensor batch_normalize(const at::Tensor& query) const;

  MemoryConfig config_;
  int64_t hidden_, layer_;
  double eps_;
  MemoryTables tables_;
  Linear query_proj_;
  at::Tensor sub_keys_;                            // [H, 2, n, K/2]
  at::Tensor sink_key_, sink_value_;               // [H, 2, K/2], [D]
  at::Tensor query_norm_, key_norm_;               // [2, K/2]
  at::Tensor batch_weight_, batch_bias_;           // [H*K]
  mutable at::Tensor running_mean_, running_var_;  // [H*K]; updated by training passes
  std::optional<Linear> gate_proj_, out_proj_, scalar_gate_;
  mutable Prepared prepared_;
};

}  // namespace memlayers::layers
