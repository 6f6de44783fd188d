#include "model/model_config.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utf8.h"
#include "model/hugging_face_config.h"

namespace memlayers::model {
namespace {

using base::check;
using base::ConfigNode;
using layers::ExpertConfig;
using layers::ExpertRouting;
using layers::MemoryConfig;
using layers::MemoryPlacement;
using layers::MemoryVariant;
using layers::NgramConfig;

constexpr int64_t kLargestWidth = int64_t{1} << 20;
constexpr int64_t kLargestVocabulary = int64_t{1} << 31;
constexpr int64_t kLargestSubKeys = int64_t{1} << 16;  // n * n slots then fit 32 bits
constexpr int64_t kLargestTables = int64_t{1} << 48;   // values of all tables, so that counts in bytes fit 64 bits
constexpr int64_t kLargestExperts = int64_t{1} << 48;  // weights of all experts, likewise
constexpr int64_t kLargestRows = int64_t{1} << 32;     // slots of a table fit 32 bits
constexpr int64_t kLongestNgram = 8;
constexpr double kLargestFactor = 1e6;

void check_range(const char* key, int64_t value, int64_t lowest, int64_t highest) {
  check(value >= lowest && value <= highest, key, " must be between ", lowest, " and ", highest, ", got ", value);
}

// Factors are at most kLargestWidth each.
void check_width(const char* key, int64_t first, int64_t second) {
  check(first * second <= kLargestWidth, key, " must be at most ", kLargestWidth, ", got ", first, " * ", second, " = ",
        first * second);
}

void check_share(const char* key, double value) {
  check(value >= 0 && value < 1, key, " must be at least 0 and below 1, got ", value);
}

void check_blocks(const char* key, const std::vector<int64_t>& layers, int64_t blocks) {
  std::set<int64_t> seen;
  for (const int64_t layer : layers) {
    check(layer >= 0 && layer < blocks, key, " names block ", layer, ", but the ", blocks, " blocks count from 0 to ",
          blocks - 1);
    check(seen.insert(layer).second, key, " names block ", layer, " twice");
  }
}

void validate_placement(const MemoryConfig& memory, int64_t blocks) {
  check_blocks("memory.layers", memory.layers, blocks);
  check(memory.placement != MemoryPlacement::kEmbedding || memory.layers == std::vector<int64_t>{0},
        "memory.placement embedding has one memory layer, before block 0: set memory.layers to [0]");
}

void check_table_values(const MemoryConfig& memory) {
  const int64_t sets = memory.shared_table ? 1 : static_cast<int64_t>(memory.layers.size());
  const int64_t tables = memory.variant == MemoryVariant::kPeer ? 2 * sets : sets;
  const int64_t slots = memory.num_sub_keys * memory.num_sub_keys;
  check(memory.value_dim <= kLargestTables / slots / tables, "memory: tables hold at most 2^48 values in all, got ",
        tables, " of num_sub_keys^2 * value_dim = ", slots, " * ", memory.value_dim);
}

void validate_memory(MemoryConfig& memory, int64_t hidden, int64_t blocks) {
  validate_placement(memory, blocks);
  if (memory.key_dim == 0) memory.key_dim = hidden / 2;
  if (memory.value_dim == 0) memory.value_dim = hidden;
  check_range("memory.num_sub_keys", memory.num_sub_keys, 1, kLargestSubKeys);
  check_range("memory.heads", memory.heads, 1, kLargestWidth);
  check_range("memory.key_dim", memory.key_dim, 2, kLargestWidth);
  check_range("memory.value_dim", memory.value_dim, 1, kLargestWidth);
  check(memory.key_dim % 2 == 0, "memory.key_dim must be even (two halves), got ", memory.key_dim);
  const int64_t slots = memory.num_sub_keys * memory.num_sub_keys;
  check(memory.top_k >= 1, "memory.top_k must be at least 1, got ", memory.top_k);
  check(memory.top_k <= slots, "memory.top_k is ", memory.top_k, ", but the table has only num_sub_keys^2 = ", slots,
        " slots; lower top_k or raise num_sub_keys");
  check(memory.top_k <= kLargestWidth, "memory.top_k must be at most ", kLargestWidth, ", got ", memory.top_k);
  check_width("memory.heads * memory.top_k", memory.heads, memory.top_k);
  check_width("memory.heads * memory.key_dim", memory.heads, memory.key_dim);
  check_table_values(memory);
  check(memory.variant != MemoryVariant::kPeer || memory.value_dim == hidden,
        "memory.variant peer needs value_dim = ", "hidden_size (", hidden, "), got ", memory.value_dim);
  check_range("memory.random_reads", memory.random_reads, 0, kLargestWidth);
  check_width("memory.heads * memory.random_reads", memory.heads, memory.random_reads);
  check(!memory.softmax_sink || memory.variant != MemoryVariant::kPeer,
        "memory.softmax_sink is not for variant peer, which has two tables; switch one of them off");
  check_share("memory.input_dropout", memory.input_dropout);
  check_share("memory.query_dropout", memory.query_dropout);
  check_share("memory.value_dropout", memory.value_dropout);
}

void check_routing(const ExpertConfig& experts) {
  const double factor = experts.capacity_factor, balance = experts.balance_loss;
  const bool by_experts = experts.routing == ExpertRouting::kExpertChoice;
  check(factor >= 0 && factor <= kLargestFactor, "experts.capacity_factor must be between 0 and ", kLargestFactor,
        ", got ", factor);
  check(!by_experts || factor > 0,
        "experts.capacity_factor is 0, which is no limit; with routing expert_choice it says ",
        "how many tokens an expert takes: give 1 or more, or routing token_choice");
  check(balance >= 0 && balance <= kLargestFactor, "experts.balance_loss must be between 0 and ", kLargestFactor,
        ", got ", balance);
  check(!by_experts || balance == 0, "experts.balance_loss is ", balance,
        ", but with routing expert_choice every expert ",
        "takes as many tokens: set it to 0, or routing to token_choice");
}

void validate_experts(ModelConfig& config) {
  ExpertConfig& experts = config.experts;
  const int64_t hidden = config.hidden_size;
  check_blocks("experts.layers", experts.layers, config.num_hidden_layers);
  if (experts.intermediate_size == 0) experts.intermediate_size = config.intermediate_size;
  check_range("experts.intermediate_size", experts.intermediate_size, 1, kLargestWidth);
  check_range("experts.num_experts", experts.num_experts, 1, kLargestWidth);
  check(experts.top_k >= 1, "experts.top_k must be at least 1, got ", experts.top_k);
  check(experts.top_k <= experts.num_experts, "experts.top_k is ", experts.top_k,
        ", but there are only num_experts = ", experts.num_experts, "; lower top_k or raise num_experts");
  const int64_t layers = static_cast<int64_t>(experts.layers.size());
  check(3 * hidden * experts.intermediate_size <= kLargestExperts / experts.num_experts / layers,
        "experts: weights are at most 2^48 in all, got ", layers, " layers of num_experts * 3 * hidden_size * ",
        "intermediate_size = ", experts.num_experts, " * 3 * ", hidden, " * ", experts.intermediate_size);
  check_routing(experts);
  if (config.memory.placement == MemoryPlacement::kEmbedding) return;  // that one is in no block
  for (const int64_t layer : experts.layers) {
    check(std::ranges::find(config.memory.layers, layer) == config.memory.layers.end(), "block ", layer,
          " is in memory.layers and in experts.layers; a block has one of them: take it out of the other list");
  }
}

void check_orders(const std::vector<int64_t>& orders) {
  check(!orders.empty(), "ngrams.orders is empty; give lengths of n-grams, as [2, 3]");
  std::set<int64_t> seen;
  for (const int64_t order : orders) {
    check_range("ngrams.orders", order, 1, kLongestNgram);
    check(seen.insert(order).second, "ngrams.orders names ", order, " twice");
  }
}

void validate_ngrams(ModelConfig& config) {
  NgramConfig& ngrams = config.ngrams;
  check_blocks("ngrams.layers", ngrams.layers, config.num_hidden_layers);
  check_orders(ngrams.orders);
  check_range("ngrams.hashes", ngrams.hashes, 1, 1024);
  const int64_t reads = ngrams.reads();
  if (ngrams.value_dim == 0) {
    check(config.hidden_size % reads == 0, "hidden_size (", config.hidden_size, ") must be a multiple of the ", reads,
          " rows that a token reads (ngrams.orders * ngrams.hashes), or give ngrams.value_dim");
    ngrams.value_dim = config.hidden_size / reads;
  }
  check_range("ngrams.value_dim", ngrams.value_dim, 1, kLargestWidth);
  check_width("ngrams: rows of a token * value_dim", reads, ngrams.value_dim);
  check_range("ngrams.rows", ngrams.rows, 1, kLargestRows);
  check(ngrams.rows <= kLargestRows / reads,
        "ngrams: a table has at most 2^32 rows, got orders * hashes * rows = ", reads, " * ", ngrams.rows);
  const int64_t tables = ngrams.shared_table ? 1 : static_cast<int64_t>(ngrams.layers.size());
  check(ngrams.value_dim <= kLargestTables / (reads * ngrams.rows) / tables,
        "ngrams: tables hold at most 2^48 values in all, got ", tables, " of ", reads, " * rows * value_dim = ", reads,
        " * ", ngrams.rows, " * ", ngrams.value_dim);
}

void validate_attention(ModelConfig& config) {
  const int64_t heads = config.num_attention_heads;
  check_range("num_attention_heads", heads, 1, kLargestWidth);
  if (config.num_key_value_heads == 0) config.num_key_value_heads = heads;
  check_range("num_key_value_heads", config.num_key_value_heads, 1, heads);
  check(heads % config.num_key_value_heads == 0, "num_attention_heads (", heads, ") must be a multiple of ",
        "num_key_value_heads (", config.num_key_value_heads, ")");
  if (config.head_dim == 0) {
    check(config.hidden_size % heads == 0, "hidden_size (", config.hidden_size, ") must be a multiple of ",
          "num_attention_heads (", heads, "), or give head_dim");
    config.head_dim = config.hidden_size / heads;
  }
  check_range("head_dim", config.head_dim, 2, kLargestWidth);
  check_width("num_attention_heads * head_dim", heads, config.head_dim);
  check(config.head_dim % 2 == 0, "head_dim must be even (rotary pairs), got ", config.head_dim);
}

// The value of a run's key `model`; null in a file that is the section itself.
const ConfigNode* find_model_section(const ConfigNode& root) {
  if (root.kind != ConfigNode::Kind::kMapping) return nullptr;
  for (size_t i = 0; i < root.items.size(); ++i) {
    if (root.keys[i].name == "model") return &root.items[i];
  }
  return nullptr;
}

void validate_rope(const ModelConfig& config) {
  const layers::RopeScaling& scaling = config.rope_scaling;
  if (scaling.rope_type == layers::RopeType::kDefault) return;
  check(scaling.factor > 0 && scaling.factor <= kLargestFactor, "rope_scaling.factor must be above 0 and at most ",
        kLargestFactor, ", got ", scaling.factor);
  if (scaling.rope_type == layers::RopeType::kLinear) return;
  check(scaling.low_freq_factor > 0 && scaling.high_freq_factor > scaling.low_freq_factor &&
            scaling.high_freq_factor <= kLargestFactor,
        "rope_scaling: expected 0 < low_freq_factor < high_freq_factor, got ", scaling.low_freq_factor, " and ",
        scaling.high_freq_factor);
  check_range("rope_scaling.original_max_position_embeddings", scaling.original_max_position_embeddings, 1,
              int64_t{1} << 24);
}

// The name by which Hugging Face's library builds a dense model of that computation; empty where it has none.
std::string dense_type(const ModelConfig& config) {
  const bool inner_bias_only = config.attention_bias && !config.attention_output_bias;
  if (config.query_key_norm) return config.mlp_bias || inner_bias_only ? "" : "qwen3";
  if (inner_bias_only) return config.mlp_bias ? "" : "qwen2";
  return "llama";
}

const char* class_of(const std::string& type) {
  if (type == "llama") return "LlamaForCausalLM";
  if (type == "qwen2") return "Qwen2ForCausalLM";
  return type == "qwen3" ? "Qwen3ForCausalLM" : "MemlayersForCausalLM";
}

// Hugging Face's library heeds no key that a model type does not have, and files in the wild hold many (of tools that
// wrote them, of other versions): what it does not compute with is not computed with here either, and named once.
void pass_over_unknown_keys(ConfigNode& root, const std::string& origin) {
  std::set<std::string> known;
  for (const std::string& key : base::detail::all_keys<ModelConfig>()) known.insert(key.substr(0, key.find('.')));
  ConfigNode kept = root;
  kept.keys.clear();
  kept.items.clear();
  std::string unknown;
  for (size_t i = 0; i < root.items.size(); ++i) {
    if (known.contains(root.keys[i].name)) {
      kept.keys.push_back(root.keys[i]);
      kept.items.push_back(root.items[i]);
    } else {
      unknown += (unknown.empty() ? "" : ", ") + root.keys[i].name.substr(0, 60);
    }
  }
  constexpr size_t kMostShown = 400;
  if (unknown.size() > kMostShown) unknown = unknown.substr(0, base::character_boundary(unknown, kMostShown)) + "...";
  if (!unknown.empty())
    base::log_warning(base::concat(origin, ": passed over, as Hugging Face's library does: ", unknown));
  root = std::move(kept);
}

}  // namespace

void ModelConfig::validate() {
  const bool known = model_type == "llama" || model_type == "memlayers" || model_type == "mistral" ||
                     model_type == "qwen2" || model_type == "qwen3";
  check(known, "model_type must be llama, mistral, qwen2, qwen3 or memlayers, got ", model_type);
  check_range("vocab_size", vocab_size, 0, kLargestVocabulary);
  check_range("hidden_size", hidden_size, 1, kLargestWidth);
  if (intermediate_size == 0) intermediate_size = 256 * ((8 * hidden_size / 3 + 255) / 256);
  check_range("intermediate_size", intermediate_size, 1, kLargestWidth);
  check_range("num_hidden_layers", num_hidden_layers, 1, 10'000);
  check_range("max_position_embeddings", max_position_embeddings, 1, int64_t{1} << 24);
  check(rms_norm_eps > 0 && rms_norm_eps < 1, "rms_norm_eps must be above 0 and below 1, got ", rms_norm_eps);
  check(rope_theta > 0 && rope_theta < 1e30, "rope_theta must be above 0, got ", rope_theta);
  validate_attention(*this);
  validate_rope(*this);
  for (base::IndexList* layers : {&memory.layers, &experts.layers, &ngrams.layers}) layers->resolve(num_hidden_layers);
  if (!memory.layers.empty()) validate_memory(memory, hidden_size, num_hidden_layers);
  if (!experts.layers.empty()) validate_experts(*this);
  if (!ngrams.layers.empty()) validate_ngrams(*this);
  const bool dense = memory.layers.empty() && experts.layers.empty() && ngrams.layers.empty();
  model_type = dense ? dense_type(*this) : "";
  if (model_type.empty()) model_type = "memlayers";
  architectures = {class_of(model_type)};
}

bool is_run_config(const std::filesystem::path& path) {
  return find_model_section(base::parse_yaml(base::read_text(path), path.string())) != nullptr;
}

ModelConfig load_model_config(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const std::string origin = path.string();
  const ConfigNode whole = base::parse_yaml(base::read_text(path), origin);
  const ConfigNode* section = find_model_section(whole);
  const bool hugging_face = section == nullptr && path.extension() == ".json";
  ModelConfig config = hugging_face ? hugging_face_defaults(whole, origin) : ModelConfig();
  ConfigNode root = own_keys(section ? *section : whole, origin);
  if (hugging_face && config.model_type != "memlayers") pass_over_unknown_keys(root, origin);
  base::ConfigReader reader(origin, base::detail::all_keys<ModelConfig>());
  base::detail::read_value(reader, root, config);
  try {
    base::override_config(config, overrides);
  } catch (const base::UsageError& error) {
    throw base::UsageError(base::concat(origin, ": ", error.what()));
  }
  return config;
}

}  // namespace memlayers::model
