#include "model/model_config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/error_of.h"
#include "support/temporary_file.h"

namespace memlayers::tests {
namespace {

using model::ModelConfig;

ModelConfig parsed(const std::string& text) { return base::parse_config<ModelConfig>(text, "test"); }

TEST(ModelConfig, FillsZerosByTheirRules) {
  const ModelConfig config = parsed("{hidden_size: 768, memory: {layers: [6]}}");
  EXPECT_EQ(config.intermediate_size, 2048);
  EXPECT_EQ(config.num_key_value_heads, 12);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.memory.key_dim, 384);
  EXPECT_EQ(config.memory.value_dim, 768);
  EXPECT_EQ(config.model_type, "memlayers");
  EXPECT_EQ(parsed("{hidden_size: 2048, num_attention_heads: 16}").intermediate_size, 5632);
  EXPECT_EQ(parsed("hidden_size: 1536").intermediate_size, 4096);
  EXPECT_EQ(parsed("hidden_size: 768").model_type, "llama");
}

TEST(ModelConfig, RefusesImpossibleShapesByName) {
  struct Row {
    const char *text, *names;
  };
  for (const Row& row : {Row{"{num_attention_heads: 7}", "num_attention_heads"},
                         {"{num_key_value_heads: 5}", "num_key_value_heads"},
                         {"{head_dim: 33}", "head_dim"},
                         {"{hidden_size: -4}", "hidden_size"},
                         {"{rms_norm_eps: 0}", "rms_norm_eps"},
                         {"{model_type: mixtral}", "mixtral"},
                         {"{memory: {layers: [12]}}", "block 12"},
                         {"{memory: {layers: [1, 1]}}", "twice"},
                         {"{memory: {layers: [1], key_dim: 7}}", "key_dim"},
                         {"{memory: {layers: [1], top_k: 5, num_sub_keys: 2}}", "num_sub_keys^2 = 4"},
                         {"{memory: {layers: [1], variant: peer, value_dim: 24}}", "peer"},
                         {"{memory: {layers: [1], placement: embedding}}", "embedding"},
                         {"{memory: {layers: [1], value_dropout: 1.0}}", "value_dropout"},
                         {"{memory: {layers: [1], random_reads: -1}}", "random_reads"},
                         {"{memory: {layers: [1], softmax_sink: true, variant: peer}}", "softmax_sink"},
                         {"{memory: {layers: [1], num_sub_keys: 100000}}", "num_sub_keys"},
                         {"{experts: {layers: [12]}}", "experts.layers names block 12"},
                         {"{experts: {layers: [1, 1]}}", "twice"},
                         {"{experts: {layers: [1], num_experts: 0}}", "experts.num_experts"},
                         {"{experts: {layers: [1], num_experts: 4, top_k: 5}}", "num_experts = 4"},
                         {"{experts: {layers: [1], top_k: 0}}", "experts.top_k"},
                         {"{experts: {layers: [1], capacity_factor: 0}}", "routing token_choice"},
                         {"{experts: {layers: [1], capacity_factor: .nan, routing: token_choice}}", "capacity_factor"},
                         {"{experts: {layers: [1], balance_loss: 0.01}}", "experts.balance_loss"},
                         {"{experts: {layers: [1], balance_loss: -1, routing: token_choice}}", "balance_loss"},
                         {"{experts: {layers: [1], intermediate_size: -1}}", "experts.intermediate_size"},
                         {"{experts: {layers: [1], num_experts: 1000000, intermediate_size: 1000000}}", "2^48"},
                         {"{experts: {layers: [1, 3]}, memory: {layers: [3]}}", "block 3"},
                         {"{ngrams: {layers: [12]}}", "ngrams.layers names block 12"},
                         {"{ngrams: {layers: [1], orders: []}}", "ngrams.orders is empty"},
                         {"{ngrams: {layers: [1], orders: [2, 9]}}", "ngrams.orders must be between 1 and 8"},
                         {"{ngrams: {layers: [1], orders: [2, 2]}}", "ngrams.orders names 2 twice"},
                         {"{ngrams: {layers: [1], hashes: 0}}", "ngrams.hashes"},
                         {"{ngrams: {layers: [1], hashes: 5}}", "a multiple of the 10 rows"},
                         {"{ngrams: {layers: [1], rows: 0}}", "ngrams.rows"},
                         {"{ngrams: {layers: [1], rows: 1000000000}}", "2^32 rows"},
                         {"{ngrams: {layers: [1], rows: 500000000, value_dim: 131072}}", "2^48"},
                         {"{ngrams: {layers: [1], value_dim: 1000000}}", "value_dim"}}) {
    const std::string message = error_of<base::UsageError>([&] { parsed(row.text); });
    EXPECT_NE(message.find(row.names), std::string::npos) << row.text << " gave: " << message;
  }
}

TEST(ModelConfig, TakesExpertsInPlaceOfFeedForwards) {
  const ModelConfig config = parsed("{hidden_size: 768, experts: {layers: [6], num_experts: 16}}");
  EXPECT_EQ(config.experts.intermediate_size, 2048);
  EXPECT_EQ(config.model_type, "memlayers");
  EXPECT_EQ(config.architectures, std::vector<std::string>{"MemlayersForCausalLM"});
  EXPECT_EQ(parsed("{experts: {layers: [1], routing: token_choice, capacity_factor: 0}}").experts.capacity_factor, 0);
  // Memory at the token embedding is in no block, and other blocks may have either.
  EXPECT_EQ(parsed("{experts: {layers: [0]}, memory: {layers: [0], placement: embedding}}").model_type, "memlayers");
  EXPECT_EQ(parsed("{experts: {layers: [0]}, memory: {layers: [1]}}").experts.layers.size(), 1u);
}

TEST(ModelConfig, TakesNgramLayersBesideEverythingElse) {
  const ModelConfig config = parsed("{hidden_size: 768, ngrams: {layers: [1], orders: [2, 3], hashes: 8}}");
  EXPECT_EQ(config.ngrams.value_dim, 48);
  EXPECT_EQ(config.model_type, "memlayers");
  EXPECT_EQ(parsed("{ngrams: {layers: [1], hashes: 5, value_dim: 7}}").ngrams.value_dim, 7);
  EXPECT_EQ(parsed("{ngrams: {layers: [1]}, memory: {layers: [1]}}").memory.layers.size(), 1u);
}

TEST(ModelConfig, AcceptsAsManySlotsPerHeadAsTheTableHas) {
  EXPECT_EQ(parsed("{memory: {layers: [1], top_k: 4, num_sub_keys: 2}}").memory.top_k, 4);
}

TEST(ModelConfig, ReadsAHuggingFaceLlamaConfiguration) {
  const TemporaryFile file("config.json", R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
    "eos_token_id": [128001, 128008], "head_dim": null, "hidden_act": "silu", "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 96, "max_position_embeddings": 128, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.43.0", "use_cache": true, "vocab_size": 100})");
  const ModelConfig config = model::load_model_config(file.path());
  EXPECT_EQ(config.eos_token_id, 128001);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.num_key_value_heads, 2);
}

TEST(ModelConfig, TakesTheNewerRopeParameters) {
  const TemporaryFile file("config.json", R"({"rope_parameters": {"rope_type": "default", "rope_theta": 20000.0}})");
  EXPECT_EQ(model::load_model_config(file.path()).rope_theta, 20000.0);
}

TEST(ModelConfig, WhatAConfigJsonLeavesOutMeansWhatItMeansInHuggingFacesLibrary) {
  for (const char* type : {"llama", "memlayers"}) {
    const TemporaryFile file("config.json", base::concat(R"({"model_type": ")", type, R"("})"));
    const ModelConfig config = model::load_model_config(file.path());
    EXPECT_EQ(config.vocab_size, 32000);
    EXPECT_EQ(config.hidden_size, 4096);
    EXPECT_EQ(config.intermediate_size, 11008);
    EXPECT_EQ(config.num_hidden_layers, 32);
    EXPECT_EQ(config.num_attention_heads, 32);
    EXPECT_EQ(config.num_key_value_heads, 32);
    EXPECT_EQ(config.head_dim, 128);
    EXPECT_EQ(config.max_position_embeddings, 2048);
    EXPECT_EQ(config.rms_norm_eps, 1e-6);
    EXPECT_EQ(config.rope_theta, 10000.0);
    EXPECT_FALSE(config.tie_word_embeddings);
    EXPECT_EQ(config.bos_token_id, 1);
    EXPECT_EQ(config.eos_token_id, 2);
  }
  const TemporaryFile section("model.yaml", "hidden_size: 64\nnum_attention_heads: 4\n");
  EXPECT_EQ(model::load_model_config(section.path()).rope_theta, ModelConfig().rope_theta) << "ours in YAML";
  EXPECT_EQ(model::load_model_config(section.path()).rms_norm_eps, ModelConfig().rms_norm_eps);
}

TEST(ModelConfig, TakesTheThetaFromWhereverItStands) {
  struct Row {
    const char* text;
    double theta;
  };
  for (const Row& row :
       {Row{R"({})", 1e4},
        {R"({"rope_theta": 500000})", 5e5},
        {R"({"rope_theta": null, "rope_scaling": null})", 1e4},
        {R"({"rope_parameters": null, "rope_theta": 20000.0})", 2e4},
        {R"({"rope_parameters": {"rope_type": "default"}})", 1e4},
        {R"({"rope_parameters": {"rope_type": "default"}, "rope_theta": 20000.0})", 2e4},
        {R"({"rope_theta": 20000, "rope_parameters": {"rope_theta": 20000.0, "rope_type": "default"}})", 2e4},
        {R"({"rope_scaling": {"type": "default"}, "rope_theta": 20000.0})", 2e4}}) {
    const TemporaryFile file("config.json", row.text);
    EXPECT_EQ(model::load_model_config(file.path()).rope_theta, row.theta) << row.text;
  }
}

TEST(ModelConfig, TakesScaledRotationsInEitherSpelling) {
  for (const char* text : {R"({"rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 2.0}})",
                           R"({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}})",
                           R"({"rope_scaling": {"rope_type": "linear", "factor": 2.0, "type": "linear"},
            "rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 1e4}, "rope_theta": 10000})"}) {
    const TemporaryFile file("config.json", text);
    const ModelConfig config = model::load_model_config(file.path());
    EXPECT_EQ(config.rope_scaling.rope_type, layers::RopeType::kLinear) << text;
    EXPECT_EQ(config.rope_scaling.factor, 2.0) << text;
    EXPECT_EQ(config.rope_theta, 1e4) << text;
  }
}

TEST(ModelConfig, PassesOverKeysThatTheLibraryDoesNotHeedEither) {
  const TemporaryFile file("config.json", R"({"model_type": "llama", "is_llama_config": true, "rope_interleaved": false,
    "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, "hidden_size": 64, "num_attention_heads": 4})");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(model::load_model_config(file.path()).hidden_size, 64);
  const std::string said = ::testing::internal::GetCapturedStderr();
  for (const char* key : {"is_llama_config", "rope_interleaved", "transformers.js_config"})
    EXPECT_NE(said.find(key), std::string::npos) << said;
  // What this program wrote holds no key that means nothing.
  const TemporaryFile own("config.json", R"({"model_type": "memlayers", "is_llama_config": true})");
  EXPECT_NE(error_of<base::UsageError>([&] { model::load_model_config(own.path()); }).find("is_llama_config"),
            std::string::npos);
}

TEST(ModelConfig, AModelTypeSaysWhatItHasWithoutKeys) {
  const auto of = [](const std::string& text) {
    const TemporaryFile file("config.json", text);
    return model::load_model_config(file.path());
  };
  const ModelConfig qwen2 = of(R"({"model_type": "qwen2"})");
  EXPECT_TRUE(qwen2.attention_bias && !qwen2.attention_output_bias && !qwen2.query_key_norm);
  EXPECT_EQ(qwen2.model_type, "qwen2");
  const ModelConfig qwen3 = of(R"({"model_type": "qwen3"})");
  EXPECT_TRUE(!qwen3.attention_bias && qwen3.query_key_norm);
  EXPECT_EQ(qwen3.head_dim, 128);
  EXPECT_EQ(qwen3.model_type, "qwen3");
  const ModelConfig mistral = of(R"({"model_type": "mistral", "sliding_window": null})");
  EXPECT_EQ(mistral.num_key_value_heads, 8);
  EXPECT_EQ(mistral.model_type, "llama") << "the same computation";
  const ModelConfig biased = of(R"({"attention_bias": true, "mlp_bias": true})");
  EXPECT_TRUE(biased.attention_bias && biased.attention_output_bias && biased.mlp_bias);
  EXPECT_EQ(biased.model_type, "llama");
}

TEST(ModelConfig, RefusesWhatItCannotCompute) {
  struct Row {
    const char *text, *names;
  };
  for (const Row& row :
       {Row{R"({"rope_scaling": {"factor": 8.0}})", "rope_scaling"},
        {R"({"hidden_act": "gelu"})", "hidden_act"},
        {R"({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}})", "lacks low_freq_factor"},
        {R"({"rope_parameters": {"rope_type": "dynamic", "factor": 8.0}})", "rope_type dynamic"},
        {R"({"rope_scaling": {"type": "yarn", "factor": 8.0}})", "type yarn"},
        {R"({"rope_scaling": {"type": "linear", "rope_type": "llama3", "factor": 8.0}})", "two kinds"},
        {R"({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "default"}})",
         "different rotations"},
        {R"({"rope_scaling": {"type": "linear", "factor": -2.0}})", "rope_scaling.factor"},
        {R"({"sliding_window": 4096})", "sliding_window"},
        {R"({"model_type": "mistral", "sliding_window": 64, "max_position_embeddings": 128})", "sliding_window is 64"},
        {R"({"model_type": "mistral"})", "leaves it out"},
        {R"({"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 64})", "use_sliding_window"},
        {R"({"model_type": "qwen3", "layer_types": ["full_attention", "sliding_attention"]})", "sliding_attention"},
        {R"({"model_type": "gpt2", "n_embd": 64})", "model_type is gpt2"},
        {R"({"partial_rotary_factor": 0.5})", "partial_rotary_factor"},
        {R"({"rope_scaling": {}})", "rope_scaling"},
        {R"({"rope_parameters": {"rope_theta": 1e4}, "rope_theta": 5e5})",
         "rope_theta is 5e5, but rope_parameters.rope_theta 1e4"},
        {R"({"rope_parameters": {"partial_rotary_factor": 0.5}})", "partial_rotary_factor"},
        {R"({"quantization_config": {"bits": 4}})", "quantization_config"},
        {R"([1, 2])", "keys and values"}}) {
    const TemporaryFile file("config.json", row.text);
    const std::string message = error_of<base::UsageError>([&] { model::load_model_config(file.path()); });
    EXPECT_NE(message.find(row.names), std::string::npos) << row.text << " gave: " << message;
    EXPECT_NE(message.find("config.json"), std::string::npos) << message;
  }
}

TEST(ModelConfig, ReadsTheModelSectionOfARunAndOverridesIt) {
  const TemporaryFile file("run.yaml", "output: x\nmodel: {hidden_size: 64, num_attention_heads: 4}\n");
  EXPECT_TRUE(model::is_run_config(file.path()));
  const ModelConfig config = model::load_model_config(file.path(), {"memory.layers=[3]", "memory.top_k=2"});
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.memory.layers, std::vector<int64_t>{3});
  EXPECT_EQ(config.memory.value_dim, 64);
}

TEST(ModelConfig, DumpReadsBackEqual) {
  const ModelConfig config = parsed(
      "{hidden_size: 64, num_attention_heads: 4, memory: {layers: [1, 3], qk_norm: true}, "
      "experts: {layers: [2], routing: token_choice, capacity_factor: 1.5, balance_loss: 0.01}, "
      "ngrams: {layers: [0, 1], orders: [3, 1], hashes: 4, rows: 99, shared_table: true}}");
  const TemporaryFile file("config.yaml", base::config_to_yaml(config));
  EXPECT_EQ(base::config_to_yaml(model::load_model_config(file.path())), base::config_to_yaml(config));
}

}  // namespace
}  // namespace memlayers::tests
