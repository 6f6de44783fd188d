// Parameters, FLOPs and bytes of a configuration, by formula, without allocating anything.
#pragma once

#include "model/model_config.h"

namespace memlayers::model {

struct ModelCount {
  // Parameters. Like the paper's totals, `total` leaves RMSNorm weights out; `norms` holds them.
  int64_t embedding = 0, head = 0, attention = 0, feed_forward = 0, memory_dense = 0, tables = 0, norms = 0;
  int64_t total = 0;
  // Forward FLOPs per token, 2 per multiply-add; training is three times that. Attention counts the causal half of
  // `seq_len` on average.
  double flops_attention = 0, flops_feed_forward = 0, flops_memory = 0, flops_head = 0, flops_forward = 0;
  double flops_training = 0;
};

ModelCount count_model(const ModelConfig& config, int64_t seq_len);

}  // namespace memlayers::model
