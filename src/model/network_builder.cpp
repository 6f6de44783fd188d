#include <algorithm>
#include <utility>

#include "base/error.h"
#include "model/network.h"

namespace memlayers::model {
namespace {

using layers::MemoryPlacement;
using layers::MemoryVariant;

using Table = std::shared_ptr<layers::MemoryTable>;

/// One set of tables for all memory layers, or one each; and the same for n-gram layers.
class TableMaker {
 public:
  TableMaker(const ModelConfig& config, const layers::TableFactory& make) : config_(config), make_(make) {}

  layers::MemoryTables next_memory() {
    const layers::MemoryConfig& memory = config_.memory;
    if (memory.shared_table && last_.values) return last_;
    const std::string name = base::concat("model.memory_tables.", sets_++);
    const bool peer = memory.variant == MemoryVariant::kPeer;
    last_ = {};
    if (peer) last_.down = add_memory(name + ".down.weight");
    last_.values = add_memory(name + (peer ? ".up.weight" : ".weight"));
    return last_;
  }

  /// The table of the next layer and its number.
  std::pair<Table, int64_t> next_ngrams() {
    const layers::NgramConfig& ngrams = config_.ngrams;
    if (ngrams_.empty() || !ngrams.shared_table) {
      const std::string name = base::concat("model.ngram_tables.", ngrams_.size(), ".weight");
      ngrams_.push_back(make_({name, ngrams.reads() * ngrams.rows, ngrams.value_dim, layers::Addressing::kNgrams}));
    }
    return {ngrams_.back(), static_cast<int64_t>(ngrams_.size()) - 1};
  }

  /// All that were made, memory's first.
  std::vector<Table> tables() const {
    std::vector<Table> all = memory_;
    all.insert(all.end(), ngrams_.begin(), ngrams_.end());
    return all;
  }

 private:
  Table add_memory(const std::string& name) {
    const layers::MemoryConfig& memory = config_.memory;
    memory_.push_back(make_({name, memory.num_sub_keys * memory.num_sub_keys, memory.value_dim}));
    return memory_.back();
  }

  const ModelConfig& config_;
  const layers::TableFactory& make_;
  std::vector<Table> memory_, ngrams_;
  layers::MemoryTables last_;
  int64_t sets_ = 0;
};

layers::MemoryLayer make_memory(const ModelConfig& config, int64_t index, TableMaker& tables) {
  return {config.memory, config.hidden_size, config.rms_norm_eps, index, tables.next_memory()};
}

bool lists(const std::vector<int64_t>& layers, int64_t index) {
  return std::find(layers.begin(), layers.end(), index) != layers.end();
}

layers::NgramLayer make_ngrams(const ModelConfig& config, int64_t index, TableMaker& tables) {
  auto [table, number] = tables.next_ngrams();
  return {config.ngrams, {config.hidden_size, config.rms_norm_eps, index, {config.bos_token_id, number}}, table};
}

layers::Block make_block(const ModelConfig& config, int64_t index, TableMaker& tables) {
  const layers::MemoryConfig& memory = config.memory;
  const bool has_memory = lists(memory.layers, index) && memory.placement != MemoryPlacement::kEmbedding;
  const bool has_experts = lists(config.experts.layers, index);
  layers::Block::Rest rest;
  if (!has_experts && (!has_memory || memory.placement == MemoryPlacement::kBeside)) {
    rest.feed_forward.emplace(config.hidden_size, config.intermediate_size, config.mlp_bias);
  }
  if (has_experts) rest.experts.emplace(config.experts, config.hidden_size);
  if (has_memory) rest.memory = make_memory(config, index, tables);
  layers::AttentionShape shape{config.hidden_size, config.num_attention_heads, config.num_key_value_heads,
                               config.head_dim};
  shape.bias = config.attention_bias;
  shape.output_bias = config.attention_bias && config.attention_output_bias;
  if (config.query_key_norm) shape.head_norm_eps = config.rms_norm_eps;
  std::optional<layers::NgramLayer> ngrams;
  if (lists(config.ngrams.layers, index)) ngrams = make_ngrams(config, index, tables);
  return {index, config.rms_norm_eps, shape, std::move(rest), std::move(ngrams)};
}

}  // namespace

Network build_network(const ModelConfig& config, const layers::TableFactory& make_table, std::vector<Table>& tables) {
  Network network(config);
  TableMaker maker(config, make_table);
  if (!config.memory.layers.empty() && config.memory.placement == MemoryPlacement::kEmbedding) {
    network.memory_norm.emplace(config.hidden_size, config.rms_norm_eps);
    network.embedding_memory = make_memory(config, 0, maker);
  }
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) network.blocks.push_back(make_block(config, i, maker));
  tables = maker.tables();
  return network;
}

}  // namespace memlayers::model
