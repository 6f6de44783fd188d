#include "model/hugging_face_config.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"

namespace memlayers::model {
namespace {

using base::check;
using base::ConfigNode;

// What MistralConfig means where a file leaves them out.
constexpr int64_t kMistralPositions = 4096 * 32, kMistralWindow = 4096;

// What Hugging Face writes and this model computes in one way only. Null is as good as absent.
struct ForeignKey {
  const char* name;
  std::vector<std::string> neutral;  // empty: any value, it does not touch the computation
};
const std::vector<ForeignKey>& foreign_keys() {
  static const std::vector<ForeignKey> keys = {
      {"torch_dtype", {}},
      {"dtype", {}},
      {"transformers_version", {}},
      {"use_cache", {}},
      {"initializer_range", {}},
      {"pad_token_id", {}},
      {"_name_or_path", {}},
      {"pretraining_tp", {}},
      {"max_sequence_length", {}},
      {"hidden_act", {"silu", "swish"}},
      {"attention_dropout", {"0.0", "0"}},
      {"partial_rotary_factor", {"1.0", "1"}},
      {"use_sliding_window", {"false"}},
      {"max_window_layers", {}},
      {"quantization_config", {"null"}},
  };
  return keys;
}

// True where `key` is Hugging Face's alone and may be dropped. Throws where its value would change the computation.
bool is_foreign(const ConfigNode::Key& key, const ConfigNode& node, const std::string& origin) {
  for (const auto& [name, neutral] : foreign_keys()) {
    if (key.name != name) continue;
    const bool plain = node.kind == ConfigNode::Kind::kPlain || node.kind == ConfigNode::Kind::kText;
    const bool fits = neutral.empty() || node.kind == ConfigNode::Kind::kNull ||
                      (plain && std::ranges::find(neutral, node.text) != neutral.end());
    check(fits, origin, ":", key.line, ": ", key.name, " is ", node.text.empty() ? "set" : node.text,
          ", which this model cannot compute; only ", neutral.empty() ? "" : neutral[0], " is supported");
    return true;
  }
  return false;
}

// A rotation as one spelling says it: its kind, its base, its numbers. Of what a kind does not use nothing is asked, as
// in Hugging Face's library.
struct Rope {
  ConfigNode::Key key{"", {}};
  std::string type = "default";
  std::optional<ConfigNode> theta;
  std::map<std::string, ConfigNode> numbers;
};

const std::map<std::string, std::vector<std::string>>& numbers_of_rope_types() {
  static const std::map<std::string, std::vector<std::string>> kNumbers = {
      {"default", {}},
      {"linear", {"factor"}},
      {"llama3", {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}}};
  return kNumbers;
}

/// Reads one item of a rotation into it; whether its kind was named.
bool read_rope_item(Rope& rope, const ConfigNode::Key& item, const ConfigNode& node, bool typed,
                    const std::string& origin) {
  const std::vector<std::string>& all = numbers_of_rope_types().at("llama3");
  const std::string where = base::concat(origin, ":", item.line, ": ", rope.key.name, ".", item.name, " ");
  if (item.name == "rope_type" || item.name == "type") {
    check(!typed || node.text == rope.type, where, node.text, " and ", rope.type,
          ": two kinds; which of them the model was trained with is not known: take the wrong one out");
    check(numbers_of_rope_types().contains(node.text), where, node.text,
          ": only rope_type default, linear and llama3 are supported");
    rope.type = node.text;
    return true;
  }
  if (item.name == "rope_theta") {
    rope.theta = node;
  } else if (std::ranges::find(all, item.name) != all.end()) {
    if (node.kind != ConfigNode::Kind::kNull) rope.numbers.emplace(item.name, node);
  } else {
    const bool whole = item.name == "partial_rotary_factor" && (node.text == "1.0" || node.text == "1");
    check(whole || node.kind == ConfigNode::Kind::kNull, where, node.text, ": is not supported");
  }
  return typed;
}

// `rope_parameters` of transformers 5, {"rope_type": "default", "rope_theta": X}, or `rope_scaling` of before, {"type":
// "linear", "factor": 2.0}. Nothing where it is null.
std::optional<Rope> rope_of(const ConfigNode::Key& key, const ConfigNode& node, const std::string& origin) {
  if (node.kind == ConfigNode::Kind::kNull) return std::nullopt;
  check(node.kind == ConfigNode::Kind::kMapping && !node.items.empty(), origin, ":", key.line, ": ", key.name, " is ",
        node.text.empty() ? "set" : node.text, ", which says no rope_type; default, linear and llama3 are supported");
  Rope rope{key, "default", std::nullopt, {}};
  bool typed = false;
  for (size_t i = 0; i < node.items.size(); ++i)
    typed = read_rope_item(rope, node.keys[i], node.items[i], typed, origin);
  check(typed || key.name == "rope_parameters", origin, ":", key.line, ": ", key.name,
        " says no rope_type; default, linear and llama3 are supported");
  for (const std::string& name : numbers_of_rope_types().at(rope.type)) {
    check(rope.numbers.contains(name), origin, ":", key.line, ": ", key.name, " of rope_type ", rope.type, " lacks ",
          name);
  }
  return rope;
}

bool same_number(const ConfigNode& a, const ConfigNode& b) {
  return std::strtod(a.text.c_str(), nullptr) == std::strtod(b.text.c_str(), nullptr);
}

// Both spellings of the rotation together, which must not disagree.
class Rotations {
 public:
  explicit Rotations(std::string origin) : origin_(std::move(origin)) {}

  /// True where the key is about the rotation.
  bool take(const ConfigNode::Key& key, const ConfigNode& node) {
    if (key.name == "rope_theta") {
      if (node.kind != ConfigNode::Kind::kNull) set_theta(key, key.name, node);
      return true;
    }
    if (key.name != "rope_parameters" && key.name != "rope_scaling") return false;
    const std::optional<Rope> rope = rope_of(key, node, origin_);
    if (!rope) return true;
    if (rope->theta) set_theta(key, key.name + ".rope_theta", *rope->theta);
    if (rope_) check_same(*rope);
    rope_ = rope;
    return true;
  }

  void add_to(ConfigNode& kept) const {
    if (theta_) kept.add("rope_theta", *theta_);
    if (!rope_ || rope_->type == "default") return;
    ConfigNode scaling;
    scaling.kind = ConfigNode::Kind::kMapping;
    scaling.add("rope_type", ConfigNode::plain(rope_->type));
    for (const std::string& name : numbers_of_rope_types().at(rope_->type)) scaling.add(name, rope_->numbers.at(name));
    kept.add("rope_scaling", scaling);
  }

 private:
  void set_theta(const ConfigNode::Key& key, const std::string& name, const ConfigNode& node) {
    check(!theta_ || same_number(*theta_, node), origin_, ":", key.line, ": ", name, " is ", node.text, ", but ",
          theta_name_, " ", theta_ ? theta_->text : "",
          "; which of them was trained with is not known: take the wrong one out");
    theta_ = node;
    theta_name_ = name;
  }

  void check_same(const Rope& other) const {
    bool same = other.type == rope_->type;
    for (const std::string& name : numbers_of_rope_types().at(other.type))
      same = same && rope_->numbers.contains(name) && same_number(rope_->numbers.at(name), other.numbers.at(name));
    check(same, origin_, ":", other.key.line, ": ", other.key.name, " and ", rope_->key.name,
          " say different rotations; which of them was trained with is not known: take the wrong one out");
  }

  std::string origin_;
  std::optional<ConfigNode> theta_;
  std::string theta_name_;
  std::optional<Rope> rope_;
};

// What a key without a value means in Hugging Face's library: the same as no key.
bool is_absent(const std::string& key, const ConfigNode& node) {
  static const std::set<std::string> kOptional = {"bos_token_id",        "eos_token_id", "head_dim",
                                                  "num_key_value_heads", "rope_theta",   "tie_word_embeddings"};
  return node.kind == ConfigNode::Kind::kNull && kOptional.contains(key);
}

const ConfigNode* find(const ConfigNode& root, const std::string& name) {
  for (size_t i = 0; i < root.items.size() && root.kind == ConfigNode::Kind::kMapping; ++i) {
    if (root.keys[i].name == name && root.items[i].kind != ConfigNode::Kind::kNull) return &root.items[i];
  }
  return nullptr;
}

std::string type_of(const ConfigNode& root) {
  const ConfigNode* type = find(root, "model_type");
  return type == nullptr ? "llama" : type->text;
}

// The positions of a file, or what it means by none.
int64_t positions_of(const ConfigNode& root, int64_t otherwise) {
  const ConfigNode* positions = find(root, "max_position_embeddings");
  return positions == nullptr ? otherwise : std::strtoll(positions->text.c_str(), nullptr, 10);
}

void check_window(const std::string& type, int64_t width, int64_t positions, const std::string& where) {
  // Qwen says in use_sliding_window, which is a foreign key, whether there is one at all.
  if (type == "qwen2" || type == "qwen3") return;
  check(type == "mistral" && width >= positions, where, ": sliding_window is ", width,
        ", which this model cannot compute; only null is supported, or in mistral one of max_position_embeddings");
}

// Blocks of other kinds of attention than the whole.
void check_layer_types(const ConfigNode::Key& key, const ConfigNode& node, const std::string& origin) {
  for (const ConfigNode& item : node.items) {
    check(item.text == "full_attention", origin, ":", key.line, ": layer_types names ", item.text,
          ", which this model cannot compute; only full_attention is supported");
  }
}

}  // namespace

base::ConfigNode own_keys(const ConfigNode& root, const std::string& origin) {
  check(root.kind == ConfigNode::Kind::kMapping, origin, ": expected a model configuration (keys and values)");
  ConfigNode kept = root;
  kept.keys.clear();
  kept.items.clear();
  Rotations rotations(origin);
  for (size_t i = 0; i < root.items.size(); ++i) {
    const ConfigNode::Key& key = root.keys[i];
    const ConfigNode& node = root.items[i];
    if (is_foreign(key, node, origin) || is_absent(key.name, node) || rotations.take(key, node)) continue;
    if (key.name == "sliding_window") {
      const int64_t width = std::strtoll(node.text.c_str(), nullptr, 10);
      if (node.kind != ConfigNode::Kind::kNull)
        check_window(type_of(root), width, positions_of(root, kMistralPositions), base::concat(origin, ":", key.line));
      continue;
    }
    if (key.name == "layer_types") {
      check_layer_types(key, node, origin);
      continue;
    }
    const bool is_token_id = key.name == "bos_token_id" || key.name == "eos_token_id";
    const bool is_list = node.kind == ConfigNode::Kind::kSequence && !node.items.empty();
    kept.keys.push_back(key);
    kept.items.push_back(is_token_id && is_list ? node.items[0] : node);  // several ends of text: the first
  }
  rotations.add_to(kept);
  return kept;
}

// The library's defaults: of LlamaConfig, MistralConfig, Qwen2Config and Qwen3Config.
ModelConfig hugging_face_defaults(const ConfigNode& root, const std::string& origin) {
  check(root.kind == ConfigNode::Kind::kMapping, origin, ": expected a model configuration (keys and values)");
  const std::string type = type_of(root);
  static const std::set<std::string> kTypes = {"llama", "memlayers", "mistral", "qwen2", "qwen3"};
  check(kTypes.contains(type), origin, ": model_type is ", type.substr(0, 60),
        "; supported are llama, mistral, qwen2, qwen3 and memlayers");
  ModelConfig config;
  config.model_type = type;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.max_position_embeddings = 2048;
  config.rms_norm_eps = 1e-6;
  config.rope_theta = 10000.0;
  if (type == "mistral") {
    config.intermediate_size = 14336;
    config.num_key_value_heads = 8;
    config.max_position_embeddings = kMistralPositions;
  } else if (type == "qwen2" || type == "qwen3") {
    config.vocab_size = 151936;
    config.intermediate_size = 22016;
    config.num_key_value_heads = 32;
    config.max_position_embeddings = 32768;
    config.attention_bias = type == "qwen2";
    config.attention_output_bias = type == "qwen3";
    config.query_key_norm = type == "qwen3";
    if (type == "qwen3") config.head_dim = 128;
  }
  const bool stated = std::ranges::any_of(root.keys, [](const auto& key) { return key.name == "sliding_window"; });
  if (type == "mistral" && !stated)
    check_window(type, kMistralWindow, positions_of(root, kMistralPositions), origin + " (which leaves it out)");
  return config;
}

}  // namespace memlayers::model
