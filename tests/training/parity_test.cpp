// Eight training steps of the paper's implementation: losses, both gradient norms and the final parameters.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "support/memory_fixture.h"
#include "support/parity_files.h"
#include "training/optimizer.h"

namespace memlayers::training {
namespace {

constexpr double kTolerance = 1e-4;

model::ModelConfig model_config(const nlohmann::json& config) {
  model::ModelConfig model;
  model.vocab_size = config.at("vocab_size");
  model.hidden_size = config.at("hidden_size");
  model.intermediate_size = config.at("intermediate_size");
  model.num_hidden_layers = config.at("num_hidden_layers");
  model.num_attention_heads = config.at("num_attention_heads");
  model.num_key_value_heads = config.at("num_key_value_heads");
  model.rms_norm_eps = config.at("rms_norm_eps");
  model.rope_theta = config.at("rope_theta");
  const nlohmann::json& memory = config.at("memory");
  model.memory.layers = memory.at("layers").get<std::vector<int64_t>>();
  model.memory.num_sub_keys = memory.at("num_sub_keys");
  model.memory.heads = memory.at("heads");
  model.memory.top_k = memory.at("top_k");
  model.memory.key_dim = memory.at("key_dim");
  model.memory.shared_table = memory.at("shared_table");
  model.memory.output = memory.at("output") == "gated" ? layers::MemoryOutput::kGated : layers::MemoryOutput::kPlain;
  model.validate();
  return model;
}

OptimizerConfig optimizer_config(const nlohmann::json& config) {
  OptimizerConfig optimizer;
  optimizer.learning_rate = config.at("lr");
  optimizer.table_learning_rate = config.at("table_lr");
  optimizer.beta1 = config.at("betas").at(0);
  optimizer.beta2 = config.at("betas").at(1);
  optimizer.eps = config.at("eps");
  optimizer.weight_decay = config.at("weight_decay");
  optimizer.clip = config.at("clip");
  optimizer.warmup_steps = config.at("warmup_steps");
  optimizer.final_rate = 0.01;
  return optimizer;
}

/// Every trained tensor with its name, tables included.
std::vector<std::pair<std::string, at::Tensor>> tensors_of(model::Transformer& model) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const layers::Parameter& parameter : model.parameters())
    tensors.emplace_back(parameter.name, parameter.tensor->detach());
  for (const auto& [name, table] : model.tables()) tensors.emplace_back(name, tests::rows_of(*table));
  return tensors;
}

void check_case(const tests::ParityCase& golden) {
  const nlohmann::json& settings = golden.config().at("optimizer");
  const int64_t steps = settings.at("total_steps");
  model::Transformer model(model_config(golden.config()), 1);
  const auto tensors = tensors_of(model);
  ASSERT_EQ(tensors.size(), golden.names("initial.").size());
  for (const auto& [name, tensor] : tensors) tensor.copy_(golden.tensor("initial." + name));
  layers::Pass pass{.training = true};
  Optimizer optimizer(model, optimizer_config(settings), steps, 1);
  const at::Tensor tokens = golden.tensor("tokens"), losses = golden.tensor("losses");
  const at::Tensor norms = golden.tensor("grad_norms"), table_norms = golden.tensor("table_grad_norms");
  for (int64_t step = 0; step < steps; ++step) {
    const at::Tensor loss = model.loss(tokens[step], pass);
    loss.backward();
    const GradientNorms measured = optimizer.measure();
    EXPECT_NEAR(optimizer.learning_rate(), golden.config().at("learning_rates").at(step).get<double>(), 1e-8);
    EXPECT_NEAR(loss.item<double>(), losses[step].item<double>(), kTolerance) << "step " << step;
    EXPECT_NEAR(measured.dense, norms[step].item<double>(), kTolerance) << "step " << step;
    EXPECT_NEAR(measured.tables, table_norms[step].item<double>(), kTolerance) << "step " << step;
    optimizer.apply(measured);
  }
  optimizer.bring_tables_up_to_date();
  for (const auto& [name, tensor] : tensors_of(model)) {
    EXPECT_LT(tests::largest_error(tensor, golden.tensor("final." + name)), kTolerance) << name;
  }
}

TEST(TrainingParity, LossesNormsAndFinalParametersAreThePapers) {
  at::set_num_threads(1);
  const auto files = tests::parity_files("model_");
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename().string());
    check_case(tests::ParityCase(file));
  }
}

}  // namespace
}  // namespace memlayers::training
