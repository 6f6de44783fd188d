#include "layers/memory_layer.h"

#include <ATen/ATen.h>

#include "layers/extra_reads.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/swiglu/swiglu.h"

namespace memlayers::layers {
namespace {

constexpr double kBatchMomentum = 0.1, kBatchEps = 1e-5;

double root(double x) { return std::sqrt(x); }

// Where scores are computed, and weights held.
at::ScalarType score_dtype(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

}  // namespace

MemoryLayer::MemoryLayer(const MemoryConfig& config, int64_t hidden, double norm_eps, int64_t layer,
                         MemoryTables tables)
    : config_(config),
      hidden_(hidden),
      layer_(layer),
      eps_(norm_eps),
      tables_(std::move(tables)),
      query_proj_(hidden, config.heads * config.key_dim, true),
      sub_keys_(at::empty({config.heads, 2, config.num_sub_keys, config.key_dim / 2}, at::kFloat)) {
  const int64_t width = config.heads * config.key_dim;
  if (config.qk_norm) {
    query_norm_ = at::empty({2, config.key_dim / 2}, at::kFloat);
    key_norm_ = at::empty({2, config.key_dim / 2}, at::kFloat);
  }
  if (config.query_batch_norm) {
    for (at::Tensor* tensor : {&batch_weight_, &batch_bias_, &running_mean_, &running_var_}) {
      *tensor = at::empty({width}, at::kFloat);
    }
  }
  if (config.softmax_sink) {
    sink_key_ = at::empty({config.heads, 2, config.key_dim / 2}, at::kFloat);
    sink_value_ = at::empty({config.value_dim}, at::kFloat);
  }
  if (config.output == MemoryOutput::kGated) gate_proj_.emplace(hidden, config.value_dim, true);
  if (config.has_out_projection(hidden)) out_proj_.emplace(config.value_dim, hidden, true);
  if (config.scalar_gate) scalar_gate_.emplace(hidden, 1, true);
}

void MemoryLayer::collect(const std::string& name, ParameterList& parameters, ParameterList& buffers) {
  const double width = static_cast<double>(config_.heads * config_.key_dim), hidden = static_cast<double>(hidden_);
  const double key_dim = static_cast<double>(config_.key_dim);
  const Initializer projection = Initializer::normal(1 / root(hidden));
  query_proj_.collect(name + ".query_proj", Initializer::uniform(root(6 / (hidden + width))), parameters);  // Xavier
  parameters.push_back({name + ".sub_keys", &sub_keys_, Initializer::uniform(1 / root(key_dim))});
  if (config_.softmax_sink) {
    parameters.push_back({name + ".sink_key", &sink_key_, Initializer::uniform(1 / root(key_dim))});
    parameters.push_back({name + ".sink_value", &sink_value_, Initializer::constant(0)});
  }
  if (config_.qk_norm) {
    // Sub-keys start with length 1, queries with length sqrt(K/2): scores have deviation near 1, as in attention.
    parameters.push_back({name + ".query_norm.weight", &query_norm_, Initializer::constant(1)});
    parameters.push_back({name + ".key_norm.weight", &key_norm_, Initializer::constant(1 / root(key_dim / 2))});
  }
  if (config_.query_batch_norm) {
    parameters.push_back({name + ".query_batch_norm.weight", &batch_weight_, Initializer::constant(1)});
    parameters.push_back({name + ".query_batch_norm.bias", &batch_bias_, Initializer::constant(0)});
    buffers.push_back({name + ".query_batch_norm.running_mean", &running_mean_, Initializer::constant(0)});
    buffers.push_back({name + ".query_batch_norm.running_var", &running_var_, Initializer::constant(1)});
  }
  if (gate_proj_) gate_proj_->collect(name + ".gate_proj", projection, parameters);
  const bool starts_at_zero = config_.placement == MemoryPlacement::kBeside;
  if (out_proj_) {
    out_proj_->collect(name + ".out_proj", starts_at_zero ? Initializer::constant(0) : projection, parameters);
  }
  if (scalar_gate_) scalar_gate_->collect(name + ".scalar_gate", projection, parameters);
}

// With the batch's statistics, which move the running ones: all that a training pass changes in a model.
at::Tensor MemoryLayer::batch_normalize(const at::Tensor& query) const {
  const at::ScalarType dtype = query.scalar_type();
  return at::batch_norm(query, batch_weight_.to(dtype), batch_bias_.to(dtype), running_mean_, running_var_, true,
                        kBatchMomentum, kBatchEps, false);
}

QueryAffine MemoryLayer::query_affine(at::ScalarType dtype) const {
  const at::Tensor scale = batch_weight_.to(dtype) * at::rsqrt(running_var_.to(dtype) + kBatchEps);
  return {scale, batch_bias_.to(dtype) - running_mean_.to(dtype) * scale};
}

// [N, H, K] in the scores' dtype, before qk-norm. Null `ready`: nothing was made ready.
at::Tensor MemoryLayer::project(const at::Tensor& x, Pass& pass, const MemoryDecoding* ready) const {
  at::Tensor query = query_proj_.forward(x).to(score_dtype(x));
  if (config_.query_batch_norm && pass.training) {
    query = batch_normalize(query);
  } else if (config_.query_batch_norm) {
    const QueryAffine affine = ready ? ready->affine : query_affine(query.scalar_type());
    query = at::addcmul(affine.shift, query, affine.scale);
  }
  if (pass.training && config_.query_dropout > 0) {
    query = dropout(query, config_.query_dropout, pass.dropout.next_key());
  }
  return query.view({-1, config_.heads, config_.key_dim});
}

at::Tensor MemoryLayer::query(const at::Tensor& x, Pass& pass, const MemoryDecoding* ready) const {
  const at::Tensor query = project(x, pass, ready);
  if (!config_.qk_norm) return query;
  const at::Tensor halves = query.view({-1, config_.heads, 2, config_.key_dim / 2});
  return rms_normalize(halves, query_norm_, eps_).view(query.sizes());
}

at::Tensor MemoryLayer::keys(at::ScalarType dtype) const {
  const at::Tensor keys = sub_keys_.to(dtype);
  return config_.qk_norm ? rms_normalize(keys, key_norm_.unsqueeze(1), eps_) : keys;
}

at::Tensor MemoryLayer::sink_key(at::ScalarType dtype) const {
  const at::Tensor key = sink_key_.to(dtype);
  return config_.qk_norm ? rms_normalize(key, key_norm_, eps_) : key;
}

MemoryLayer::Bag MemoryLayer::choose(const at::Tensor& x, const ForwardContext& context) const {
  Pass& pass = *context.pass;
  const MemoryDecoding* ready = context.cache && decoding_ && !decoding_->at_once ? decoding_.get() : nullptr;
  const at::Tensor queries = query(x, pass, ready);
  const at::Tensor sub_keys = ready ? at::Tensor() : keys(score_dtype(x));
  ops::TopK best = ready ? ops::product_key_topk(queries, ready->keys, config_.top_k)
                         : ops::product_key_topk(queries, sub_keys, config_.top_k);
  if (pass.training && config_.random_reads > 0) {
    best = add_random_slots(best, queries, sub_keys, config_.random_reads, pass.dropout.next_key());
  }
  const int64_t reads = config_.heads * best.slots.size(-1);
  const at::Tensor slots = best.slots.view({-1, reads});
  if (!config_.softmax_sink) return {slots, at::softmax(best.scores, -1).view({-1, reads}), {}};
  const at::Tensor sink = sink_scores(queries, sink_key(score_dtype(x)));
  const at::Tensor weights = at::softmax(at::cat({best.scores, sink}, -1), -1);  // [N, H, reads + 1]
  const int64_t last = weights.size(-1) - 1;
  return {slots, weights.narrow(-1, 0, last).reshape({-1, reads}), weights.select(-1, last).sum(-1, true)};
}

// The bag's output [N, D] in the table's dtype.
at::Tensor MemoryLayer::read(const at::Tensor& x, const Bag& bag, Pass& pass) const {
  at::Tensor weights = bag.weights;
  if (tables_.down) weights = weights * at::gelu(tables_.down->dots(bag.slots, x.to(tables_.down->dtype())));
  at::Tensor y = tables_.values->bag(bag.slots, weights);
  for (MemoryTable* read : {tables_.down.get(), tables_.values.get()}) {
    if (read != nullptr) read->tell_listeners(layer_, bag.slots, bag.weights.detach());
  }
  if (bag.sink_weight.defined())
    y = y + (bag.sink_weight * sink_value_.to(bag.sink_weight.scalar_type())).to(y.scalar_type());
  if (pass.training && config_.value_dropout > 0) {
    y = dropout(y, config_.value_dropout, pass.dropout.next_key());
  }
  return y;
}

at::Tensor MemoryLayer::forward(const at::Tensor& input, const ForwardContext& context) const {
  Pass& pass = *context.pass;
  at::Tensor x = input.reshape({-1, hidden_});
  if (pass.training && config_.input_dropout > 0) {
    x = dropout(x, config_.input_dropout, pass.dropout.next_key());
  }
  at::Tensor y;
  if (context.cache && decoding_ && decoding_->at_once) {
    y = decode_at_once(x.to(at::kFloat).contiguous()).to(x.scalar_type());
  } else {
    y = read(x, choose(x, context), pass).to(x.scalar_type());
    if (gate_proj_) y = ops::swiglu(gate_proj_->forward(x), y);
    if (out_proj_) y = out_proj_->forward(y);
  }
  if (scalar_gate_) y = y * at::sigmoid(scalar_gate_->forward(x));
  return y.view(input.sizes());
}

}  // namespace memlayers::layers
