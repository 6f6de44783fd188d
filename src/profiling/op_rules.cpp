#include "profiling/op_rules.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

namespace memlayers::profiling {
namespace {

using ops::bytes_of;

double extent(const at::Tensor& tensor, int64_t dim) { return double(tensor.size(dim)); }

OpWork pass(const OpCall& call) { return ops::pass_work(call); }

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
  return ops::with_flops(work, left, flops);
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
  return ops::with_flops(pass(call), query, products * share * 2 * double(query.numel()) * extent(key, 2));
}
/// (query, key, value, dropout, causal, ...)
OpWork attention(const OpCall& call) { return attention_of(call, 0, 4, 2); }
/// (gradient, query, key, value, out, row sums, dropout, causal, ...)
OpWork attention_backward(const OpCall& call) { return attention_of(call, 1, 7, 4); }

using namespace ops::op_groups;
constexpr const char *kProducts = "matrix products", *kEmbedding = "embedding", *kDenseUpdate = "dense update",
                     *kElementwise = "elementwise and copies", *kElse = "everything else";

const std::map<std::string, OpRule>& rules() {
  static const std::map<std::string, OpRule> all = {
      {"aten::mm", {kProducts, product}},
      {"aten::bmm", {kProducts, product}},
      {"aten::addmm", {kProducts, added_product}},
      {"aten::addmm_", {kProducts, added_product}},
      {"aten::_scaled_dot_product_flash_attention_for_cpu", {kAttention, attention}},
      {"aten::_scaled_dot_product_flash_attention_for_cpu_backward", {kAttention, attention_backward}},
      {"aten::native_batch_norm", {kNorms, pass}},
      {"aten::native_batch_norm_backward", {kNorms, pass}},
      {"aten::gelu", {kActivation, pass}},
      {"aten::gelu_backward", {kActivation, pass}},
      {"aten::sigmoid", {kActivation, pass}},
      {"aten::sigmoid_backward", {kActivation, pass}},
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
  if (const OpRule* stated = ops::stated_work(name)) return *stated;
  const auto found = rules().find(name);
  if (found != rules().end()) return found->second;
  const bool operation = name.starts_with("aten::") || name.starts_with("memlayers::");
  return !operation || only_arranges(name) ? bookkeeping : other;
}

}  // namespace memlayers::profiling
