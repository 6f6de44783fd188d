#include <nlohmann/json.hpp>

#include "support/parity_files.h"
#include "support/tiny_model.h"

namespace memlayers::tests {
namespace {

constexpr double kTolerance = 1e-5;

model::ModelConfig config_of(const nlohmann::json& json) {
  nlohmann::json keys = json;
  keys["rope_theta"] = json["rope_theta"].get<double>();
  for (const char* foreign : {"case", "rope", "optimizer", "learning_rates", "dtype", "loss"}) keys.erase(foreign);
  return base::parse_config<model::ModelConfig>(keys.dump(), "golden configuration");
}

class ModelParity : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  ModelParity() : golden_(GetParam()), model_(config_of(golden_.config()), 1) {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : named_tensors(model_)) tensor.copy_(golden_.tensor("initial." + name));
  }

  at::Tensor first_batch() const { return golden_.tensor("tokens")[0]; }

  ParityCase golden_;
  model::Transformer model_;
};

TEST_P(ModelParity, HoldsExactlyTheGoldenTensors) {
  EXPECT_EQ(named_tensors(model_).size(), golden_.names("initial.").size());
}

TEST_P(ModelParity, GivesTheSameFirstLogits) {
  const at::Tensor tokens = first_batch();
  const at::Tensor logits = model_.forward(tokens.narrow(1, 0, tokens.size(1) - 1));
  EXPECT_LT(largest_error(logits, golden_.tensor("step0.logits")), kTolerance);
}

TEST_P(ModelParity, GivesTheSameFirstLossAndGradients) {
  const at::Tensor loss = model_.loss(first_batch());
  EXPECT_NEAR(loss.item<float>(), golden_.tensor("losses")[0].item<float>(), kTolerance);
  loss.backward();
  for (const auto& [name, gradient] : named_gradients(model_)) {
    EXPECT_LT(largest_error(gradient, golden_.tensor("step0.grad." + name)), kTolerance) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, ModelParity, ::testing::ValuesIn(parity_files("model_")),
                         [](const auto& param_info) { return param_info.param.stem().string(); });

}  // namespace
}  // namespace memlayers::tests
