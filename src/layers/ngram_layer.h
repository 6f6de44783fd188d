// Token-addressed memory: the n-grams that end at a token are hashed to rows of a table, and what those rows say is let
// into the residual stream as far as it agrees with the hidden state (Engram, arXiv 2601.07372, section 2).
//
// Rows depend on token ids alone. Each hash of each order has its own range of the table's rows, and the G rows of a
// token stand side by side, as in Engram: a sum of them, which a bag would give, loses which hash a row came from, and
// with it the chance to tell the hash that collided from those that did not. Not here: Engram's convolution over
// neighboring tokens and its folding of token ids that differ in case or accents.
#pragma once

#include <memory>

#include "layers/context.h"
#include "layers/linear.h"
#include "layers/memory_table.h"
#include "layers/ngram_config.h"

namespace memlayers::layers {

/// Slots of the last `count` tokens of every sequence, [B * count, G], order by order and in it hash by hash. tokens
/// [B, L] int64, L >= count, hold what came before them. An n-gram does not reach beyond its document, which a `bos`
/// begins, nor beyond the sequence: kNoToken stands there. `table` counts tables from 0; equal tokens have other rows
/// in another table.
struct NgramPlace {
  int64_t bos = 0, table = 0;
};
at::Tensor ngram_slots(const at::Tensor& tokens, int64_t count, const NgramConfig& config, const NgramPlace& place);

class NgramLayer {
 public:
  struct Options {
    int64_t hidden = 0;
    double norm_eps = 0;
    int64_t layer = 0;  // the block's index, which the table's listeners are told
    NgramPlace place;
  };
  /// `config` is complete (no zero left for a rule to fill); the table has G * rows rows of D.
  NgramLayer(const NgramConfig& config, const Options& options, std::shared_ptr<MemoryTable> table);

  /// sigmoid(q . k / sqrt(d)) * V e with q = RMSNorm(x), k = RMSNorm(K e), e the token's rows side by side [G * D]. x
  /// [B, T, d], the residual stream -> the same in float32 (float64 for float64): what is to be added to it. The
  /// context holds the tokens. Norms and gate are float32 (float64) whatever the compute dtype. Trains the parameters
  /// through autograd and leaves the table's gradient as records.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;

  /// Appends NAME.{query_norm,key_norm,key_proj,value_proj}.weight. value_proj starts at zero, so that the model starts
  /// as the one without this layer.
  void collect(const std::string& name, ParameterList& parameters);
  /// As Linear::freeze().
  void freeze(at::ScalarType dtype);

 private:
  at::Tensor read(const at::Tensor& slots) const;

  NgramConfig config_;
  Options options_;
  std::shared_ptr<MemoryTable> table_;
  RmsNorm query_norm_, key_norm_;
  Linear key_proj_, value_proj_;  // [d, G * D]
};

}  // namespace memlayers::layers
