#include "bench/torch_compositions.h"

#include <ATen/ATen.h>

#include <cmath>

namespace memlayers::bench {
namespace {

constexpr int64_t kModeSum = 0;

}  // namespace

std::tuple<at::Tensor, at::Tensor> torch_selection(const at::Tensor& query, const at::Tensor& sub_keys, int64_t k) {
  const int64_t tokens = query.size(0), heads = sub_keys.size(0), num_sub_keys = sub_keys.size(2);
  const at::Tensor halves = query.view({tokens, heads, 2, -1}).permute({1, 2, 0, 3});  // [H, 2, N, K/2]
  const auto best_of_half = [&](int64_t half) {
    return at::topk(at::matmul(halves.select(1, half), sub_keys.select(1, half).transpose(-1, -2)), k);  // [H, N, k]
  };
  const auto [first, first_index] = best_of_half(0);
  const auto [second, second_index] = best_of_half(1);
  const at::Tensor sums = (first.unsqueeze(-1) + second.unsqueeze(-2)).view({heads, tokens, k * k});
  const auto [scores, places] = at::topk(sums, k);
  const at::Tensor slots = first_index.gather(-1, at::div(places, k, "floor")) * num_sub_keys +
                           second_index.gather(-1, at::remainder(places, k));
  return {scores.transpose(0, 1), slots.transpose(0, 1)};
}

TorchBag::TorchBag(int64_t tokens, int64_t bag)
    : offsets_(at::arange(0, tokens * bag, bag, at::kLong)),
      token_of_entry_(at::arange(tokens, at::kLong).repeat_interleave(bag)),
      bag_sizes_(at::full({tokens}, bag, at::kLong)) {}

at::Tensor TorchBag::forward(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) const {
  return std::get<0>(at::_embedding_bag(table, slots.view({-1}), offsets_, /*scale_grad_by_freq=*/false, kModeSum,
                                        /*sparse=*/false, weights.view({-1})));
}

at::Tensor TorchBag::weight_gradient(const at::Tensor& table, const at::Tensor& slots,
                                     const at::Tensor& grad_output) const {
  return at::_embedding_bag_per_sample_weights_backward(grad_output, table, slots.view({-1}), offsets_, token_of_entry_,
                                                        kModeSum)
      .view(slots.sizes());
}

at::Tensor TorchBag::table_gradient(int64_t num_slots, const at::Tensor& slots, const at::Tensor& weights,
                                    const at::Tensor& grad_output) const {
  return at::_embedding_bag_dense_backward(grad_output, slots.view({-1}), token_of_entry_, bag_sizes_,
                                           /*maximum_indices=*/offsets_.narrow(0, 0, 0), num_slots,
                                           /*scale_grad_by_freq=*/false, kModeSum, weights.view({-1}));
}

at::Tensor torch_gather_bag(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
  const at::Tensor rows = table.index_select(0, slots.view({-1})).view({slots.size(0), slots.size(1), table.size(1)});
  return at::bmm(weights.unsqueeze(1), rows).squeeze(1);
}

at::Tensor torch_dequantized_rows(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots) {
  const at::Tensor slot = slots.view({-1});
  at::Tensor rows = codes.index_select(0, slot);
  if (codes.scalar_type() == at::kByte) {
    const at::Tensor bytes = rows.view({slot.size(0), -1, 16});
    const at::Tensor halves = at::cat({at::bitwise_and(bytes, 15), at::bitwise_right_shift(bytes, 4)}, -1);
    rows = at::bitwise_xor(halves, 8).view({slot.size(0), -1}).to(at::kFloat).sub_(8);
  }
  return rows.to(at::kFloat).mul_(scales.index_select(0, slot).unsqueeze(1)).view({slots.size(0), slots.size(1), -1});
}

at::Tensor torch_dequantized_bag(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots,
                                 const at::Tensor& weights) {
  return at::bmm(weights.unsqueeze(1), torch_dequantized_rows(codes, scales, slots)).squeeze(1);
}

at::Tensor torch_dequantized_weight_gradient(const at::Tensor& codes, const at::Tensor& scales, const at::Tensor& slots,
                                             const at::Tensor& grad_output) {
  return at::bmm(torch_dequantized_rows(codes, scales, slots), grad_output.unsqueeze(2)).squeeze(2);
}

void torch_dense_step(AdamTable& table, const at::Tensor& gradient, int64_t step, const AdamRates& rates) {
  at::_fused_adamw_({table.weight}, {gradient}, {table.exp_avg}, {table.exp_avg_sq}, {},
                    {at::full({}, double(step), at::kFloat)}, rates.learning_rate, rates.beta1, rates.beta2,
                    rates.weight_decay, rates.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void torch_sparse_step(AdamTable& table, const at::Tensor& slots, const at::Tensor& weights,
                       const at::Tensor& grad_output, int64_t step, const AdamRates& rates) {
  const int64_t dim = table.weight.size(1);
  const at::Tensor entries = (weights.unsqueeze(-1) * grad_output.unsqueeze(1)).view({-1, dim});
  const at::Tensor gradient =
      at::sparse_coo_tensor(slots.view({1, -1}), entries, table.weight.sizes(), entries.options().layout(at::kSparse))
          .coalesce();
  const at::Tensor rows = gradient.indices().select(0, 0), values = gradient.values();
  const at::Tensor exp_avg = table.exp_avg.index_select(0, rows).lerp_(values, 1 - rates.beta1);
  const at::Tensor exp_avg_sq =
      table.exp_avg_sq.index_select(0, rows).mul_(rates.beta2).addcmul_(values, values, 1 - rates.beta2);
  const double bias1 = 1 - std::pow(rates.beta1, double(step)), bias2 = 1 - std::pow(rates.beta2, double(step));
  const at::Tensor divisor = exp_avg_sq.sqrt().div_(std::sqrt(bias2)).add_(rates.eps);
  at::Tensor weight = table.weight.index_select(0, rows).mul_(1 - rates.learning_rate * rates.weight_decay);
  weight.addcdiv_(exp_avg, divisor, -rates.learning_rate / bias1);
  table.exp_avg.index_copy_(0, rows, exp_avg);
  table.exp_avg_sq.index_copy_(0, rows, exp_avg_sq);
  table.weight.index_copy_(0, rows, weight);
}

}  // namespace memlayers::bench
