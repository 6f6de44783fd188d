#include "profiling/op_rules.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

namespace memlayers::profiling {
namespace {

/// A broadcast tensor is no larger than what it was broadcast from.
double bytes_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return 0;
  const auto numbers = double(tensor.numel()) * double(tensor.element_size());
  return tensor.has_storage() ? std::min(numbers, double(tensor.storage().nbytes())) : numbers;
}

/// Of a tensor that may be the beginning of a larger one.
double bytes_of_part(const at::Tensor& tensor) { return double(tensor.numel()) * double(tensor.element_size()); }

double bytes_of(const at::IValue& value) {
  if (value.isTensor()) return bytes_of(value.toTensor());
  double sum = 0;
  if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) sum += bytes_of(tensor);
  }
  return sum;
}

double bytes_of(c10::ArrayRef<at::IValue> values) {
  double sum = 0;
  for (const at::IValue& value : values) sum += bytes_of(value);
  return sum;
}

double extent(const at::Tensor& tensor, int64_t dim) { return double(tensor.size(dim)); }

bool narrow(const at::Tensor& tensor) { return tensor.element_size() < 4; }

OpWork with_flops(OpWork work, const at::Tensor& like, double flops) {
  (narrow(like) ? work.narrow_flops : work.flops) = flops;
  return work;
}

/// Reads what it is given, writes what it gives.
OpWork pass(const OpCall& call) { return {0, 0, bytes_of(call.inputs), bytes_of(call.outputs), 0}; }

/// (target, source) or (target): what was in the target is not read.
OpWork overwrite(const OpCall& call) { return {0, 0, bytes_of(call.inputs.slice(1)), bytes_of(call.inputs[0]), 0}; }

/// In place on lists of tensors, whose outputs are none.
OpWork scale_lists(const OpCall& call) { return {0, 0, bytes_of(call.inputs[0]), bytes_of(call.inputs[0]), 0}; }

/// (parameters, gradients, first moments, second moments, ...)
OpWork adamw(const OpCall& call) {
  return {0, 0, bytes_of(call.inputs.slice(0, 4)),
          bytes_of(call.inputs[0]) + bytes_of(call.inputs[2]) + bytes_of(call.inputs[3]), 0};
}

/// Matrices (or batches of them) at places `first` and `first` + 1; outputs are what was written, in place or not.
OpWork product_of(const OpCall& call, size_t first) {
  const at::Tensor left = call.inputs[first].toTensor(), right = call.inputs[first + 1].toTensor();
  const double flops = 2 * double(left.numel()) * extent(right, -1);
  OpWork work{0, 0, bytes_of(left) + bytes_of(right), bytes_of(call.outputs), 0};
  if (first == 1) work.read_bytes += bytes_of(call.inputs[0]);
  return with_flops(work, left, flops);
}
OpWork product(const OpCall& call) { return product_of(call, 0); }
OpWork added_product(const OpCall& call) { return product_of(call, 1); }

/// (weight [V, d], indices): each row is read once, however often it is asked for.
OpWork embedding(const OpCall& call) {
  const double out = bytes_of(call.outputs);
  return {0, 0, bytes_of(call.inputs[1]) + std::min(out, bytes_of(call.inputs[0])), out, 0};
}

/// Two products of [T, head dim] and [T, T] forward, four backward; half of each where attention is causal.
OpWork attention_of(const OpCall& call, size_t query_at, size_t causal_at, double products) {
  const at::Tensor query = call.inputs[query_at].toTensor(), key = call.inputs[query_at + 1].toTensor();
  const double share = call.inputs.size() > causal_at && call.inputs[causal_at].toBool() ? 0.5 : 1;
  return with_flops(pass(call), query, products * share * 2 * double(query.numel()) * extent(key, 2));
}
/// (query, key, value, dropout, causal, ...)
OpWork attention(const OpCall& call) { return attention_of(call, 0, 4, 2); }
/// (gradient, query, key, value, out, row sums, dropout, causal, ...)
OpWork attention_backward(const OpCall& call) { return attention_of(call, 1, 7, 4); }

/// (query [N, H, K], sub-keys [H, 2, n, K / 2], k): a dot product of each query with all n sub-keys of both halves.
OpWork selection(const OpCall& call) {
  const at::Tensor query = call.inputs[0].toTensor();
  return with_flops(pass(call), query, 2 * double(query.numel()) * extent(call.inputs[1].toTensor(), 2));
}

/// (score gradients [N, H, k], slots, query [N, H, K], sub-keys, for queries, for sub-keys)
OpWork selection_backward(const OpCall& call) {
  const at::Tensor slots = call.inputs[1].toTensor(), query = call.inputs[2].toTensor();
  const double wanted = double(call.inputs[4].toBool()) + double(call.inputs[5].toBool());
  return with_flops(pass(call), query, wanted * 2 * double(slots.numel()) * extent(query, -1));
}

/// (table [S, D], slots [N, M], weights [N, M] or output gradients [N, D]): a row for every slot.
OpWork bag(const OpCall& call) {
  const at::Tensor table = call.inputs[0].toTensor(), slots = call.inputs[1].toTensor();
  const double numbers = double(slots.numel()) * extent(table, 1);
  OpWork work{2 * numbers, 0, bytes_of(call.inputs.slice(1)), bytes_of(call.outputs), 0};
  work.gathered_bytes = numbers * double(table.element_size());
  return work;
}

/// (row begins [U + 1], entries [E], weights, output gradients, values [U, D]): entries are summed into rows.
OpWork row_sums(const OpCall& call) {
  const at::Tensor values = call.inputs[4].toTensor();
  const double entries = double(call.inputs[1].toTensor().numel());
  return {2 * entries * extent(values, 1), 0, bytes_of(call.inputs.slice(0, 4)), bytes_of_part(values), 0};
}

/// (values [U, D])
OpWork row_norm(const OpCall& call) {
  const at::Tensor values = call.inputs[0].toTensor();
  return {2 * double(values.numel()), 0, bytes_of_part(values), 0, 0};
}

/// The touched rows' share of a tensor [S, ...]; 0 for state that the optimizer's kind does not have.
double bytes_of_rows(const at::IValue& value, double rows) {
  if (!value.isTensor() || !value.toTensor().defined()) return 0;
  const at::Tensor tensor = value.toTensor();
  return rows * double(tensor.numel()) / extent(tensor, 0) * double(tensor.element_size());
}

/// (table, first moments, second moments, last steps, rows [U], values [U, D], ...): rows, moments and steps are read and written.
OpWork row_update(const OpCall& call) {
  const double rows = double(call.inputs[4].toTensor().numel());
  double state = 0;
  for (size_t i = 0; i < 4; ++i) state += bytes_of_rows(call.inputs[i], rows);
  return {0, 0, state + bytes_of(call.inputs[4]) + bytes_of_part(call.inputs[5].toTensor()), state, 0};
}

constexpr const char *kProducts = "matrix products", *kAttention = "attention", *kSelection = "selection",
                     *kBag = "bag", *kRowUpdate = "row update", *kReplay = "bringing rows up to date",
                     *kNorms = "norms", *kActivation = "activation", *kLoss = "loss", *kEmbedding = "embedding",
                     *kDenseUpdate = "dense update", *kElementwise = "elementwise and copies",
                     *kElse = "everything else";

const std::map<std::string, OpRule>& rules() {
  static const std::map<std::string, OpRule> all = {
      {"aten::mm", {kProducts, product}},
      {"aten::bmm", {kProducts, product}},
      {"aten::addmm", {kProducts, added_product}},
      {"aten::addmm_", {kProducts, added_product}},
      {"aten::_scaled_dot_product_flash_attention_for_cpu", {kAttention, attention}},
      {"aten::_scaled_dot_product_flash_attention_for_cpu_backward", {kAttention, attention_backward}},
      {"memlayers::rotary", {kAttention, pass}},
      {"memlayers::product_key_topk", {kSelection, selection}},
      {"memlayers::product_key_topk_backward", {kSelection, selection_backward}},
      {"memlayers::memory_bag", {kBag, bag}},
      {"memlayers::memory_bag_weight_gradient", {kBag, bag}},
      {"memlayers::sort_records", {kRowUpdate, pass}},
      {"memlayers::sum_touched_rows", {kRowUpdate, row_sums}},
      {"memlayers::row_squared_norm", {kRowUpdate, row_norm}},
      {"memlayers::row_update", {kRowUpdate, row_update}},
      {"memlayers::bring_rows_up_to_date", {kReplay, nullptr}},  // how many rows are behind, no shape tells
      {"memlayers::rms_norm", {kNorms, pass}},
      {"memlayers::rms_norm_backward", {kNorms, pass}},
      {"aten::native_batch_norm", {kNorms, pass}},
      {"aten::native_batch_norm_backward", {kNorms, pass}},
      {"memlayers::swiglu", {kActivation, pass}},
      {"memlayers::swiglu_backward", {kActivation, pass}},
      {"aten::gelu", {kActivation, pass}},
      {"aten::gelu_backward", {kActivation, pass}},
      {"aten::sigmoid", {kActivation, pass}},
      {"aten::sigmoid_backward", {kActivation, pass}},
      {"memlayers::softmax_cross_entropy", {kLoss, pass}},
      {"memlayers::softmax_cross_entropy_gradient_", {kLoss, pass}},
      {"aten::embedding", {kEmbedding, embedding}},
      {"aten::embedding_dense_backward", {kEmbedding, pass}},
      {"aten::_fused_adamw_", {kDenseUpdate, adamw}},
      {"aten::_foreach_mul_", {kDenseUpdate, scale_lists}},
      {"aten::linalg_vector_norm", {kDenseUpdate, pass}},
      {"aten::copy_", {kElementwise, overwrite}},
      {"aten::fill_", {kElementwise, overwrite}},
      {"aten::zero_", {kElementwise, overwrite}},
      {"aten::_softmax", {kElementwise, pass}},
      {"aten::_softmax_backward_data", {kElementwise, pass}},
      {"aten::add", {kElementwise, pass}},
      {"aten::add_", {kElementwise, pass}},
      {"aten::mul", {kElementwise, pass}},
      {"aten::mul_", {kElementwise, pass}},
      {"aten::div", {kElementwise, pass}},
      {"aten::div_", {kElementwise, pass}},
      {"aten::sum", {kElementwise, pass}},
  };
  return all;
}

/// These hand out memory, look at it in another way, or only call others.
bool only_arranges(const std::string& name) {
  static const std::set<std::string> all = {"aten::empty",
                                            "aten::empty_like",
                                            "aten::empty_strided",
                                            "aten::new_empty",
                                            "aten::view",
                                            "aten::_unsafe_view",
                                            "aten::reshape",
                                            "aten::_reshape_alias",
                                            "aten::t",
                                            "aten::transpose",
                                            "aten::permute",
                                            "aten::as_strided",
                                            "aten::expand",
                                            "aten::narrow",
                                            "aten::slice",
                                            "aten::select",
                                            "aten::detach",
                                            "aten::alias",
                                            "aten::unsqueeze",
                                            "aten::squeeze",
                                            "aten::resize_",
                                            "aten::resolve_conj",
                                            "aten::resolve_neg",
                                            "aten::chunk",
                                            "aten::split",
                                            "aten::linear",
                                            "aten::matmul",
                                            "aten::to",
                                            "aten::_to_copy",
                                            "aten::clone",
                                            "aten::contiguous",
                                            "aten::zeros",
                                            "aten::zeros_like",
                                            "aten::ones_like",
                                            "aten::full",
                                            "aten::scalar_tensor",
                                            "aten::item",
                                            "aten::_local_scalar_dense",
                                            "aten::result_type",
                                            "aten::batch_norm",
                                            "aten::_batch_norm_impl_index",
                                            "aten::scaled_dot_product_attention",
                                            "aten::softmax",
                                            "aten::embedding_backward"};
  return all.count(name) != 0;
}

}  // namespace

const OpRule& rule_of(const std::string& name) {
  static const OpRule bookkeeping{kBookkeeping, nullptr}, other{kElse, nullptr};
  const auto found = rules().find(name);
  if (found != rules().end()) return found->second;
  const bool operation = name.starts_with("aten::") || name.starts_with("memlayers::");
  return !operation || only_arranges(name) ? bookkeeping : other;
}

}  // namespace memlayers::profiling
