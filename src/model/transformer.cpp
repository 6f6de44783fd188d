#include "model/transformer.h"

#include <ATen/ATen.h>

#include <utility>

#include "base/error.h"
#include "model/cross_entropy.h"
#include "model/frozen_transformer.h"
#include "model/network.h"

namespace memlayers::model {
namespace {

ModelConfig validated(ModelConfig config) {
  config.validate();
  base::check(config.vocab_size > 0, "model.vocab_size is 0: give the number of tokens of the vocabulary");
  return config;
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, Uninitialized, const layers::TableFactory& make_table) {
  std::vector<std::shared_ptr<layers::MemoryTable>> tables;
  network_ = std::make_unique<Network>(build_network(validated(config), make_table, tables));
  for (auto& table : tables) tables_.push_back({table->name(), table});
  network_->collect(parameters_, buffers_);
  for (const layers::Parameter& parameter : parameters_) parameter.tensor->set_requires_grad(true);
}

Transformer::Transformer(const ModelConfig& config, uint64_t seed, const layers::TableFactory& make_table)
    : Transformer(config, Uninitialized{}, make_table) {
  for (const layers::ParameterList* list : {&parameters_, &buffers_}) {
    for (const layers::Parameter& parameter : *list) layers::initialize(parameter, seed);
  }
  for (const NamedTable& named : tables_) named.table->initialize(seed);
}

Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

const ModelConfig& Transformer::config() const { return network_->config; }

at::Tensor Transformer::hidden(const at::Tensor& tokens, layers::Pass& pass) const {
  return network_->hidden(tokens, pass);
}

at::Tensor Transformer::hidden(const at::Tensor& tokens) const {
  layers::Pass pass;
  return hidden(tokens, pass);
}

at::Tensor Transformer::forward(const at::Tensor& tokens, layers::Pass& pass) const {
  return network_->logits(hidden(tokens, pass));
}

at::Tensor Transformer::forward(const at::Tensor& tokens) const {
  layers::Pass pass;
  return forward(tokens, pass);
}

Transformer::Losses Transformer::losses(const at::Tensor& tokens, layers::Pass& pass) const {
  base::check(tokens.dim() == 2 && tokens.size(0) > 0 && tokens.size(1) > 1,
              "model: the loss needs tokens [B, T + 1] with T > 0, got ", tokens.sizes());
  const int64_t length = tokens.size(1) - 1;
  const at::Tensor last = hidden(tokens.narrow(1, 0, length), pass).view({-1, config().hidden_size});
  const at::Tensor balance = std::exchange(pass.balance_loss, at::Tensor());  // its graph goes with the losses
  const at::Tensor cross_entropy = linear_cross_entropy(last, network_->head_weight().to(last.scalar_type()),
                                                        tokens.narrow(1, 1, length).reshape({-1}));
  return {cross_entropy, balance.defined() ? cross_entropy + balance : cross_entropy};
}

Transformer::Losses Transformer::losses(const at::Tensor& tokens) const {
  layers::Pass pass;
  return losses(tokens, pass);
}

FrozenTransformer Transformer::freeze() const { return FrozenTransformer(*network_); }

std::vector<Transformer::NamedUse> Transformer::expert_use(const layers::Pass& pass) const {
  std::vector<NamedUse> uses;
  for (size_t i = 0; i < network_->blocks.size() && uses.size() < pass.expert_use.size(); ++i) {
    if (network_->blocks[i].has_experts()) uses.push_back({block_name(i) + ".mlp", pass.expert_use[uses.size()]});
  }
  return uses;
}

void Transformer::set_compute_dtype(at::ScalarType dtype) {
  base::check(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble,
              "model: compute dtype must be float32, bfloat16 or float64, got ", dtype);
  network_->dtype = dtype;
  for (const NamedTable& named : tables_) named.table->set_dtype(dtype);
}

}  // namespace memlayers::model
