// Every number that gives the model its shape. The `model:` section of a run's YAML and a checkpoint's config.json have
// these same keys; the dense ones are Hugging Face's Llama keys, so a dense checkpoint is a Llama checkpoint.
#pragma once

#include "layers/expert_config.h"
#include "layers/memory_config.h"
#include "layers/ngram_config.h"
#include "layers/rope_scaling.h"

namespace memlayers::model {

struct ModelConfig {
  std::string model_type = "llama";
  std::vector<std::string> architectures = {"LlamaForCausalLM"};
  int64_t vocab_size = 32000;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 0;  // 0: Llama's rule, 256 * ceil(floor(8d/3) / 256)
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_key_value_heads = 0;  // 0: as many as attention heads
  int64_t head_dim = 0;             // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 4096;
  double rms_norm_eps = 1e-5;
  double rope_theta = 500000.0;
  layers::RopeScaling rope_scaling;
  bool attention_bias = false, attention_output_bias = true, mlp_bias = false, query_key_norm = false;
  bool tie_word_embeddings = false;
  int64_t bos_token_id = 1;
  int64_t eos_token_id = 2;
  layers::MemoryConfig memory;
  layers::ExpertConfig experts;
  layers::NgramConfig ngrams;

  static constexpr auto fields() {
    using base::field;
    using C = ModelConfig;
    return std::tuple{
        field(
            "model_type", &C::model_type,
            "llama, qwen2 or qwen3 (dense) or memlayers (with memory layers, experts or n-gram layers); set by itself"),
        field("architectures", &C::architectures, "class names for Hugging Face readers; set by itself"),
        field("vocab_size", &C::vocab_size, "tokens of the vocabulary; 0 in a run takes the prepared data's"),
        field("hidden_size", &C::hidden_size, "d, width of the residual stream"),
        field("intermediate_size", &C::intermediate_size,
              "hidden width of the feed-forward; 0: 256*ceil(floor(8d/3)/256)"),
        field("num_hidden_layers", &C::num_hidden_layers, "blocks"),
        field("num_attention_heads", &C::num_attention_heads, "attention query heads"),
        field("num_key_value_heads", &C::num_key_value_heads,
              "attention key and value heads; 0: as many as query heads"),
        field("head_dim", &C::head_dim, "width of an attention head; 0: hidden_size / num_attention_heads"),
        field("max_position_embeddings", &C::max_position_embeddings, "longest sequence, tokens"),
        field("rms_norm_eps", &C::rms_norm_eps, "added to the mean square in RMSNorm"),
        field("rope_theta", &C::rope_theta, "rotary base"),
        field("rope_scaling", &C::rope_scaling, "rotary frequencies of a model that was stretched to longer texts"),
        field("attention_bias", &C::attention_bias, "biases in attention's projections"),
        field("attention_output_bias", &C::attention_output_bias,
              "with attention_bias: in the one behind attention too"),
        field("mlp_bias", &C::mlp_bias, "biases in the feed-forwards"),
        field("query_key_norm", &C::query_key_norm, "RMSNorm of queries and keys, head by head, before they rotate"),
        field("tie_word_embeddings", &C::tie_word_embeddings, "output head shares the token embedding"),
        field("bos_token_id", &C::bos_token_id, "begins a document"),
        field("eos_token_id", &C::eos_token_id, "ends a document"),
        field("memory", &C::memory, "memory layers; none when memory.layers is empty"),
        field("experts", &C::experts, "mixtures of experts; none when experts.layers is empty"),
        field("ngrams", &C::ngrams, "n-gram layers; none when ngrams.layers is empty"),
    };
  }

  /// Fills zeros by their rules and checks every shape (k <= n * n among them). Throws base::UsageError.
  void validate();
};

/// Reads config.json, a YAML `model:` section by itself, or that section of a whole run's YAML (then `overrides` still
/// name the section's own keys). A key that config.json (any file named .json that is no run's) leaves out means what
/// it means in Hugging Face's library, where LlamaConfig has other defaults than the fields above: hidden_size 4096,
/// intermediate_size 11008, num_hidden_layers 32, num_attention_heads 32, max_position_embeddings 2048, rms_norm_eps
/// 1e-6, rope_theta 10000. Keys of Hugging Face that do not change the computation here (torch_dtype,
/// transformers_version, ...) are accepted, ones that would (a scaled rope, attention_bias, sliding_window) are refused
/// by name unless they hold the neutral value. Throws UsageError.
ModelConfig load_model_config(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

/// True for a whole run's configuration: a mapping with the key `model`.
bool is_run_config(const std::filesystem::path& path);

}  // namespace memlayers::model
