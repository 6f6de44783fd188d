#include "model/frozen_transformer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "model/network.h"

namespace memlayers::model {
namespace {

int64_t version_of(const Network& network) { return network.norm.weight()._version(); }

}  // namespace

FrozenTransformer::FrozenTransformer(const Network& network)
    : network_(std::make_shared<const Network>(network.frozen())), version_(version_of(network)) {}

at::Tensor FrozenTransformer::hidden(const at::Tensor& tokens, layers::KeyValueCache* cache) const {
  base::check(version_of(*network_) == version_,
              "model: it was trained or loaded since it was frozen for decoding; freeze it again");
  const at::NoGradGuard no_grad;
  layers::Pass pass;
  return network_->hidden(tokens, pass, cache);
}

at::Tensor FrozenTransformer::head(const at::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  return network_->logits(hidden);
}

at::Tensor FrozenTransformer::forward(const at::Tensor& tokens, layers::KeyValueCache* cache) const {
  return head(hidden(tokens, cache));
}

const ModelConfig& FrozenTransformer::config() const { return network_->config; }

}  // namespace memlayers::model
