#include "layers/memory_decoding.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "layers/memory_layer.h"

namespace memlayers::layers {

ops::PackedMemory MemoryLayer::pack() const {
  const auto projection = [](const Linear& linear) { return ops::Projection{linear.weight(), linear.bias()}; };
  ops::MemoryWeights weights;
  weights.query = projection(query_proj_);
  if (config_.query_batch_norm) {  // which a projection can do as well
    const QueryAffine affine = query_affine(at::kFloat);
    weights.query.weight = weights.query.weight * affine.scale.unsqueeze(1);
    weights.query.bias = at::addcmul(affine.shift, weights.query.bias, affine.scale);
  }
  if (config_.qk_norm) weights.query_scale = query_norm_;
  weights.eps = eps_;
  weights.sub_keys = keys(at::kFloat);
  weights.k = config_.top_k;
  if (gate_proj_) weights.gate = projection(*gate_proj_);
  if (out_proj_) weights.out = projection(*out_proj_);
  return ops::pack_memory(weights);
}

// Small, nothing but the table's rows goes into the output, and they can be read where they lie.
bool MemoryLayer::decodes_at_once(at::ScalarType dtype) const {
  return dtype != at::kDouble && sub_keys_.is_cpu() && !tables_.down && !sink_key_.defined() &&
         tables_.values->dtype() != at::kDouble && tables_.values->direct_rows() != nullptr &&
         ops::decodes_at_once(hidden_, config_.heads, config_.key_dim, config_.num_sub_keys, config_.value_dim,
                              gate_proj_.has_value() + out_proj_.has_value());
}

void MemoryLayer::freeze(at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  auto decoding = std::make_shared<MemoryDecoding>();
  if (decodes_at_once(dtype)) {
    decoding->at_once = pack();  // float32, whatever the model computes in
  } else {
    const at::ScalarType wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
    decoding->keys = ops::pack_sub_keys(keys(wide));
    if (config_.query_batch_norm) decoding->affine = query_affine(wide);
  }
  decoding_ = std::move(decoding);
  query_proj_.freeze(dtype);
  for (std::optional<Linear>* linear : {&gate_proj_, &out_proj_, &scalar_gate_}) {
    if (*linear) (*linear)->freeze(dtype);
  }
}

at::Tensor MemoryLayer::decode_at_once(const at::Tensor& x) const {
  MemoryTable& table = *tables_.values;
  const ops::DecodedMemory decoded = ops::decode_memory(x, *decoding_->at_once, *table.direct_rows());
  table.tell_listeners(layer_, decoded.slots, decoded.weights);
  return decoded.output;
}

}  // namespace memlayers::layers
