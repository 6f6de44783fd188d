// The memory layer: a query, the k best slots of each head by product keys, the weighted sum of their rows.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "layers/context.h"
#include "layers/linear.h"
#include "layers/memory_config.h"
#include "layers/memory_decoding.h"
#include "layers/memory_table.h"

namespace memlayers::layers {

/// One table of values, or PEER's two.
struct MemoryTables {
  std::shared_ptr<MemoryTable> values;  // peer: the second table ("up")
  std::shared_ptr<MemoryTable> down;    // peer only: the first
};

class MemoryLayer {
 public:
  /// `config` is complete (no zero left for a rule to fill). `layer` is the block's index, which the tables' listeners
  /// are told.
  MemoryLayer(const MemoryConfig& config, int64_t hidden, double norm_eps, int64_t layer, MemoryTables tables);

  /// x [.., d] -> [.., d] in x's dtype. Scores and weights are float32 (float64 for float64) whatever x is. Trains the
  /// parameters through autograd and leaves the tables' gradient as records. Paper section 3, eq. 1 and 2.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;

  /// The slots and weights of every token, [N, H*k], without reading a row; in training with random_reads r, [N, H*(k +
  /// r)]. x [N, d].
  struct Bag {
    at::Tensor slots, weights;
    at::Tensor sink_weight;  // [N, 1], of all heads together; undefined without softmax_sink
  };
  Bag choose(const at::Tensor& x, const ForwardContext& context) const;

  /// Appends NAME.{query_proj,sub_keys,...} in checkpoint order.
  void collect(const std::string& name, ParameterList& parameters, ParameterList& buffers);

  /// For good, on a copy: what passes with a cache multiply with is packed once, and all else cast as Linear::freeze()
  /// does. Small layers over a table in memory are then decoded in one call. A frozen layer takes no training passes.
  void freeze(at::ScalarType dtype);

 private:
  at::Tensor keys(at::ScalarType dtype) const;
  at::Tensor sink_key(at::ScalarType dtype) const;
  at::Tensor project(const at::Tensor& x, Pass& pass, const MemoryDecoding* ready) const;
  at::Tensor query(const at::Tensor& x, Pass& pass, const MemoryDecoding* ready) const;
  QueryAffine query_affine(at::ScalarType dtype) const;
  at::Tensor read(const at::Tensor& x, const Bag& bag, Pass& pass) const;
  bool decodes_at_once(at::ScalarType dtype) const;
  ops::PackedMemory pack() const;
  /// All of forward() but the scalar gate, in one call. x [N, d].
  at::Tensor decode_at_once(const at::Tensor& x) const;
  at::Tensor batch_normalize(const at::Tensor& query) const;

  MemoryConfig config_;
  int64_t hidden_, layer_;
  double eps_;
  MemoryTables tables_;
  Linear query_proj_;
  at::Tensor sub_keys_;                    // [H, 2, n, K/2]
  at::Tensor sink_key_, sink_value_;       // [H, 2, K/2], [D]
  at::Tensor query_norm_, key_norm_;       // [2, K/2]
  at::Tensor batch_weight_, batch_bias_;   // [H*K]
  at::Tensor running_mean_, running_var_;  // [H*K]; moved by training passes
  std::optional<Linear> gate_proj_, out_proj_, scalar_gate_;
  std::shared_ptr<const MemoryDecoding> decoding_;  // of a frozen layer
};

}  // namespace memlayers::layers
