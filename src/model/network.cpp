#include "model/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"

namespace memlayers::model {

std::string block_name(size_t block) { return base::concat("model.layers.", block); }

Network::Network(const ModelConfig& given)
    : config(given),
      embedding(at::empty({config.vocab_size, config.hidden_size}, at::kFloat)),
      norm(config.hidden_size, config.rms_norm_eps),
      rotary(config.head_dim, config.max_position_embeddings, config.rope_theta, config.rope_scaling) {
  if (!config.tie_word_embeddings) head.emplace(config.hidden_size, config.vocab_size, false);
}

void Network::collect(layers::ParameterList& parameters, layers::ParameterList& buffers) {
  const auto initial = layers::Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(config.hidden_size)));
  parameters.push_back({"model.embed_tokens.weight", &embedding, initial});
  if (embedding_memory) {
    memory_norm->collect("model.layers.0.memory.input_norm", parameters);
    embedding_memory->collect("model.layers.0.memory", parameters, buffers);
  }
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].collect(block_name(i), parameters, buffers);
  norm.collect("model.norm", parameters);
  if (head) head->collect("lm_head", initial, parameters);
}

Network Network::frozen() const {
  const at::NoGradGuard no_grad;
  Network copy = *this;
  if (copy.embedding_memory) copy.embedding_memory->freeze(dtype);
  for (layers::Block& block : copy.blocks) block.freeze(dtype);
  copy.head.emplace(layers::frozen(head_weight(), dtype));
  return copy;
}

at::Tensor Network::embed(const at::Tensor& tokens, const layers::ForwardContext& context) const {
  const at::Tensor x = at::embedding(embedding, tokens);
  if (!embedding_memory) return x;
  const at::Tensor y = embedding_memory->forward(memory_norm->forward(x, dtype), context).to(x.scalar_type());
  return config.memory.embedding_mode == layers::EmbeddingMode::kAdd ? x + y : y;
}

at::Tensor Network::hidden(const at::Tensor& tokens, layers::Pass& pass, layers::KeyValueCache* cache) const {
  base::check(tokens.dim() == 2 && tokens.scalar_type() == at::kLong && tokens.size(1) > 0,
              "model: expected tokens [B, T] int64 with T > 0, got ", tokens.sizes(), " ", tokens.scalar_type());
  const int64_t end = (cache ? cache->length() : 0) + tokens.size(1);
  base::check(end <= config.max_position_embeddings, "model: ", end, " positions, but max_position_embeddings is ",
              config.max_position_embeddings, "; shorten the sequence or raise it");
  pass.balance_loss.reset();
  pass.expert_use.clear();
  const at::Tensor seen = cache && !config.ngrams.layers.empty() ? cache->append_tokens(tokens) : tokens;
  const layers::ForwardContext context{&pass, dtype, &rotary, cache, &seen};
  at::Tensor x = embed(tokens, context);
  for (const layers::Block& block : blocks) x = block.forward(x, context);
  if (cache) cache->advance(tokens.size(1));
  return norm.forward(x, dtype);
}

at::Tensor Network::logits(const at::Tensor& hidden) const {
  const at::Tensor logits = at::linear(hidden, head_weight().to(hidden.scalar_type()));
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

}  // namespace memlayers::model
