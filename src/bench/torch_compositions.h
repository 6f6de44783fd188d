// What a memory layer is made of when there are only torch's own operations: the rivals of our ops.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace memlayers::bench {

/// scores and slots [N, H, k] as product_key_topk gives them (ties aside): a product and a top-k for each half, all k *
/// k sums, a top-k of those. Differentiable. query [N, H, K], sub_keys [H, 2, n, K/2].
std::tuple<at::Tensor, at::Tensor> torch_selection(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k);

/// torch's embedding_bag in its offset form, mode sum, with per-sample weights; built once for bags of one shape.
class TorchBag {
 public:
  TorchBag(int64_t tokens, int64_t bag);
  /// table [S, D], slots [N, M], weights [N, M] of the table's dtype -> [N, D].
  at::Tensor forward(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) const;
  /// [N, M], of the weights. grad_output [N, D] of the table's dtype.
  at::Tensor weight_gradient(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& grad_output) const;
  /// [num_slots, D], dense, of the table.
  at::Tensor table_gradient(int64_t num_slots, const at::Tensor& slots, const at::Tensor& weights,
                            const at::Tensor& grad_output) const;

 private:
  at::Tensor offsets_, token_of_entry_, bag_sizes_;
};

/// The same sum from index_select and a batched product.
at::Tensor torch_gather_bag(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights);

/// The rows of slots [N, M] out of codes and scales as ops::QuantizedRows has them (D whole blocks of 32 columns where
/// there are two codes a byte), dequantized: [N, M, D] float32.
at::Tensor torch_dequantized_rows(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots);
/// Their weighted sums [N, D], by a batched product, and the gradient of the weights [N, M], by another.
at::Tensor torch_dequantized_bag(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots,
                                 const at::Tensor& weights);
at::Tensor torch_dequantized_weight_gradient(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots,
                                             const at::Tensor& grad_output);

struct AdamRates {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1;
};
/// A table with AdamW's two moments.
struct AdamTable {
  at::Tensor weight, exp_avg, exp_avg_sq;  // [S, D] float32
};

/// torch's fused AdamW over the whole table.
void torch_dense_step(AdamTable& table, const at::Tensor& gradient, int64_t step, const AdamRates& rates);

/// What SparseAdam does, with decoupled decay: coalesce the entries' gradients, take the touched rows out, update them,
/// put them back.
void torch_sparse_step(AdamTable& table, const at::Tensor& slots, const at::Tensor& weights,
                       const at::Tensor& grad_output, int64_t step, const AdamRates& rates);

}  // namespace memlayers::bench
