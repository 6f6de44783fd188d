#include "model/transformer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "model/cross_entropy.h"

namespace memlayers::model {

using layers::MemoryPlacement;
using layers::MemoryVariant;

struct Transformer::Parts {
  explicit Parts(const ModelConfig& config)
      : embedding(at::empty({config.vocab_size, config.hidden_size}, at::kFloat)),
        norm(config.hidden_size, config.rms_norm_eps),
        rotary(config.head_dim, config.max_position_embeddings, config.rope_theta) {
    if (!config.tie_word_embeddings) head.emplace(config.hidden_size, config.vocab_size, false);
  }

  at::Tensor embedding;                        // [V, d]
  std::optional<layers::RmsNorm> memory_norm;  // placement embedding only
  std::optional<layers::MemoryLayer> embedding_memory;
  std::vector<layers::Block> blocks;
  layers::RmsNorm norm;
  std::optional<layers::Linear> head;  // none when tied
  layers::Rotary rotary;
  bool training = false;
  at::ScalarType dtype = at::kFloat;
  layers::DropoutStream dropout;
  at::Tensor balance_loss;  // of the pass under way; undefined: none
};

namespace {

ModelConfig validated(ModelConfig config) {
  config.validate();
  base::check(config.vocab_size > 0, "model.vocab_size is 0: give the number of tokens of the vocabulary");
  return config;
}

std::shared_ptr<layers::MemoryTable> make_table(int64_t rows, int64_t value_dim) {
  auto table = std::make_shared<layers::MemoryTable>();
  table->weight = ops::allocate_rows(rows, value_dim, at::kFloat);
  return table;
}

// One set of tables for all memory layers, or one each; named in the order of the layers.
class TableMaker {
 public:
  TableMaker(const layers::MemoryConfig& memory, std::vector<Transformer::NamedTable>& named)
      : memory_(memory), named_(named) {}

  layers::MemoryTables next() {
    if (memory_.shared_table && last_.values) return last_;
    const std::string name = base::concat("model.memory_tables.", made_++);
    last_ = {};
    if (memory_.variant == MemoryVariant::kPeer) last_.down = add(name + ".down.weight");
    last_.values = add(memory_.variant == MemoryVariant::kPeer ? name + ".up.weight" : name + ".weight");
    return last_;
  }

 private:
  std::shared_ptr<layers::MemoryTable> add(const std::string& name) {
    named_.push_back({name, make_table(memory_.num_sub_keys * memory_.num_sub_keys, memory_.value_dim)});
    return named_.back().table;
  }

  const layers::MemoryConfig& memory_;
  std::vector<Transformer::NamedTable>& named_;
  layers::MemoryTables last_;
  int64_t made_ = 0;
};

// The same for n-gram layers.
class NgramTableMaker {
 public:
  explicit NgramTableMaker(const layers::NgramConfig& ngrams) : ngrams_(ngrams) {}

  /// The table of the next layer and its number.
  std::pair<std::shared_ptr<layers::MemoryTable>, int64_t> next() {
    if (tables_.empty() || !ngrams_.shared_table) {
      tables_.push_back(make_table(ngrams_.reads() * ngrams_.rows, ngrams_.value_dim));
      tables_.back()->addressing = layers::Addressing::kNgrams;
    }
    return {tables_.back(), static_cast<int64_t>(tables_.size()) - 1};
  }

  void name(std::vector<Transformer::NamedTable>& named) const {
    for (size_t t = 0; t < tables_.size(); ++t) {
      named.push_back({base::concat("model.ngram_tables.", t, ".weight"), tables_[t]});
    }
  }

 private:
  const layers::NgramConfig& ngrams_;
  std::vector<std::shared_ptr<layers::MemoryTable>> tables_;
};

layers::MemoryLayer make_memory(const ModelConfig& config, int64_t index, TableMaker& tables) {
  return {config.memory, config.hidden_size, config.rms_norm_eps, index, tables.next()};
}

bool lists(const std::vector<int64_t>& layers, int64_t index) {
  return std::find(layers.begin(), layers.end(), index) != layers.end();
}

layers::NgramLayer make_ngrams(const ModelConfig& config, int64_t index, NgramTableMaker& tables) {
  auto [table, number] = tables.next();
  return {config.ngrams, {config.hidden_size, config.rms_norm_eps, index, {config.bos_token_id, number}}, table};
}

layers::Block make_block(const ModelConfig& config, int64_t index, TableMaker& tables, NgramTableMaker& ngram_tables) {
  const layers::MemoryConfig& memory = config.memory;
  const bool has_memory = lists(memory.layers, index) && memory.placement != MemoryPlacement::kEmbedding;
  const bool has_experts = lists(config.experts.layers, index);
  layers::Block::Rest rest;
  if (!has_experts && (!has_memory || memory.placement == MemoryPlacement::kBeside)) {
    rest.feed_forward.emplace(config.hidden_size, config.intermediate_size);
  }
  if (has_experts) rest.experts.emplace(config.experts, config.hidden_size);
  if (has_memory) rest.memory = make_memory(config, index, tables);
  const layers::AttentionShape shape{config.hidden_size, config.num_attention_heads, config.num_key_value_heads,
                                     config.head_dim};
  std::optional<layers::NgramLayer> ngrams;
  if (lists(config.ngrams.layers, index)) ngrams = make_ngrams(config, index, ngram_tables);
  return {index, config.rms_norm_eps, shape, std::move(rest), std::move(ngrams)};
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, Uninitialized) : config_(validated(config)) {
  parts_ = std::make_shared<Parts>(config_);
  Parts& parts = *parts_;
  TableMaker tables(config_.memory, tables_);
  if (!config_.memory.layers.empty() && config_.memory.placement == MemoryPlacement::kEmbedding) {
    parts.memory_norm.emplace(config_.hidden_size, config_.rms_norm_eps);
    parts.embedding_memory = make_memory(config_, 0, tables);
  }
  NgramTableMaker ngram_tables(config_.ngrams);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    parts.blocks.push_back(make_block(config_, i, tables, ngram_tables));
  }
  ngram_tables.name(tables_);
  list_parameters();
}

void Transformer::list_parameters() {
  Parts& parts = *parts_;
  const auto embedding = layers::Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(config_.hidden_size)));
  parameters_.push_back({"model.embed_tokens.weight", &parts.embedding, embedding});
  if (parts.embedding_memory) {
    parts.memory_norm->collect("model.layers.0.memory.input_norm", parameters_);
    parts.embedding_memory->collect("model.layers.0.memory", parameters_, buffers_);
  }
  for (size_t i = 0; i < parts.blocks.size(); ++i) {
    parts.blocks[i].collect(base::concat("model.layers.", i), parameters_, buffers_);
  }
  parts.norm.collect("model.norm", parameters_);
  if (parts.head) parts.head->collect("lm_head", embedding, parameters_);
  for (const layers::Parameter& parameter : parameters_) parameter.tensor->set_requires_grad(true);
}

Transformer::Transformer(const ModelConfig& config, uint64_t seed) : Transformer(config, Uninitialized{}) {
  for (const layers::Parameter& parameter : parameters_) layers::initialize(parameter, seed);
  for (const layers::Parameter& buffer : buffers_) layers::initialize(buffer, seed);
  for (const NamedTable& named : tables_) {
    const auto width = static_cast<double>(named.table->weight.size(1));
    layers::initialize({named.name, &named.table->weight, layers::Initializer::normal(1 / std::sqrt(width))}, seed);
  }
}

layers::ForwardContext Transformer::context(layers::KeyValueCache* cache) {
  return {parts_->training, parts_->dtype, &parts_->rotary, cache, &parts_->dropout, &parts_->balance_loss};
}

at::Tensor Transformer::embed(const at::Tensor& tokens, const layers::ForwardContext& context) const {
  const at::Tensor x = at::embedding(parts_->embedding, tokens);
  if (!parts_->embedding_memory) return x;
  const at::Tensor y =
      parts_->embedding_memory->forward(parts_->memory_norm->forward(x, context.dtype), context).to(x.scalar_type());
  return config_.memory.embedding_mode == layers::EmbeddingMode::kAdd ? x + y : y;
}

at::Tensor Transformer::hidden(const at::Tensor& tokens, layers::KeyValueCache* cache) {
  base::check(tokens.dim() == 2 && tokens.scalar_type() == at::kLong && tokens.size(1) > 0,
              "model: expected tokens [B, T] int64 with T > 0, got ", tokens.sizes(), " ", tokens.scalar_type());
  const int64_t end = (cache ? cache->length() : 0) + tokens.size(1);
  base::check(end <= config_.max_position_embeddings, "model: ", end, " positions, but max_position_embeddings is ",
              config_.max_position_embeddings, "; shorten the sequence or raise it");
  const c10::AutoGradMode record(cache == nullptr && at::GradMode::is_enabled());
  parts_->balance_loss.reset();
  layers::ForwardContext passed = context(cache);
  const at::Tensor seen = cache && !config_.ngrams.layers.empty() ? cache->append_tokens(tokens) : tokens;
  passed.tokens = &seen;
  at::Tensor x = embed(tokens, passed);
  for (const layers::Block& block : parts_->blocks) x = block.forward(x, passed);
  if (cache) cache->advance(tokens.size(1));
  return parts_->norm.forward(x, parts_->dtype);
}

at::Tensor Transformer::head(const at::Tensor& hidden) const {
  const at::Tensor& weight = parts_->head ? parts_->head->weight() : parts_->embedding;
  const at::Tensor logits = at::linear(hidden, weight.to(hidden.scalar_type()));
  return logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
}

at::Tensor Transformer::forward(const at::Tensor& tokens, layers::KeyValueCache* cache) {
  const c10::AutoGradMode record(cache == nullptr && at::GradMode::is_enabled());
  return head(hidden(tokens, cache));
}

Transformer::Losses Transformer::losses(const at::Tensor& tokens) {
  base::check(tokens.dim() == 2 && tokens.size(0) > 0 && tokens.size(1) > 1,
              "model: the loss needs tokens [B, T + 1] with T > 0, got ", tokens.sizes());
  const int64_t length = tokens.size(1) - 1;
  const at::Tensor last = hidden(tokens.narrow(1, 0, length)).view({-1, config_.hidden_size});
  const at::Tensor& weight = parts_->head ? parts_->head->weight() : parts_->embedding;
  const at::Tensor balance = std::exchange(parts_->balance_loss, at::Tensor());
  const at::Tensor cross_entropy =
      linear_cross_entropy(last, weight.to(last.scalar_type()), tokens.narrow(1, 1, length).reshape({-1}));
  return {cross_entropy, balance.defined() ? cross_entropy + balance : cross_entropy};
}

std::vector<Transformer::NamedUse> Transformer::expert_use() const {
  std::vector<NamedUse> uses;
  for (size_t i = 0; i < parts_->blocks.size(); ++i) {
    const layers::MixtureOfExperts* experts = parts_->blocks[i].experts();
    if (experts) uses.push_back({base::concat("model.layers.", i, ".mlp"), experts->last_use()});
  }
  return uses;
}

void Transformer::set_training(bool training) { parts_->training = training; }

void Transformer::set_compute_dtype(at::ScalarType dtype) {
  base::check(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble,
              "model: compute dtype must be float32, bfloat16 or float64, got ", dtype);
  parts_->dtype = dtype;
  for (const NamedTable& named : tables_) {
    at::Tensor& weight = named.table->weight;
    if (weight.scalar_type() == dtype) continue;
    weight = ops::allocate_rows(weight.size(0), weight.size(1), dtype).copy_(weight);
  }
}

void Transformer::set_dropout_stream(uint64_t seed, uint64_t step) { parts_->dropout = {seed, step, 0}; }

}  // namespace memlayers::model
