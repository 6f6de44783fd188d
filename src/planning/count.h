// Parameters, FLOPs and bytes of a configuration, by formula, without allocating anything.
#pragma once

#include "model/model_config.h"
#include "ops/row_update/row_update.h"

namespace memlayers::planning {

struct ModelCount {
  // Parameters. Like the paper's totals, `total` leaves RMSNorm weights out; `norms` holds them. `experts` has their
  // routers too. `tables` are those of memory layers.
  int64_t embedding = 0, head = 0, attention = 0, feed_forward = 0, experts = 0, memory_dense = 0, tables = 0,
          ngram_dense = 0, ngram_tables = 0, norms = 0;
  int64_t total = 0;
  // Of the total, without experts that are not among a token's `top_k` and table rows that it does not read.
  int64_t active = 0;
  // Forward FLOPs per token, 2 per multiply-add; training is three times that, and three times what memory's
  // random_reads add to its forward passes. Attention counts the causal half
  // of `seq_len` on average. Experts: as many a token as capacity_factor and top_k allow on average (evaluated,
  // expert_choice computes one).
  double flops_attention = 0, flops_feed_forward = 0, flops_experts = 0, flops_memory = 0, flops_ngrams = 0,
         flops_head = 0;
  double flops_forward = 0, flops_training = 0;
};

/// `config` is validated first. Throws base::UsageError.
ModelCount count_model(const model::ModelConfig& config, int64_t seq_len);

/// How a model is to be trained, as far as bytes depend on it.
struct TrainingShape {
  int64_t batch_size = 1, seq_len = 1;  // of one micro-step
  ops::RowOptimizer table_optimizer = ops::RowOptimizer::kExact;
  int64_t compute_bytes = 4;  // of an element in matrix products and tables: 4 (float32) or 2 (bfloat16)
  int64_t micro_batches = 1;  // micro-steps of an optimizer step
};

/// Bytes at the peak of a training step. Weights and optimizer are exact. Gradients: dense ones, and for the tables the
/// bags' records of all micro-steps, the keys they are sorted by, and one row for each slot that can be touched.
/// Activations: what the backward pass keeps, by the layers' formulas, without temporaries and allocator overhead.
struct ByteCount {
  int64_t weights = 0, gradients = 0, optimizer = 0, activations = 0;
  int64_t total = 0;
};
/// Throws base::UsageError, also where a number does not fit 64 bits.
ByteCount count_bytes(const model::ModelConfig& config, const TrainingShape& shape);

}  // namespace memlayers::planning
