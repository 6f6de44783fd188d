#include "ops/product_key_topk/product_key_topk.h"
#include "support/memory_fixture.h"
#include "support/parity_files.h"

namespace memlayers::tests {
namespace {

constexpr double kTolerance = 1e-5;

layers::MemoryConfig config_of(const nlohmann::json& json) {
  layers::MemoryConfig config;
  config.layers = {0};
  config.num_sub_keys = json["num_sub_keys"];
  config.heads = json["heads"];
  config.top_k = json["top_k"];
  config.key_dim = json["key_dim"];
  config.value_dim = json["value_dim"];
  config.scalar_gate = json["scalar_gate"];
  config.output = json["output"] == "gated" ? layers::MemoryOutput::kGated : layers::MemoryOutput::kPlain;
  config.variant = json["variant"] == "peer" ? layers::MemoryVariant::kPeer : layers::MemoryVariant::kValues;
  return config;
}

class MemoryParity : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  MemoryParity() : golden_(GetParam()), fixture_(config_of(golden_.config()), golden_.config()["width"]) {
    const at::NoGradGuard no_grad;
    const auto tables = fixture_.named_tables();
    for (const std::string& name : golden_.names("param.")) {
      const at::Tensor value = golden_.tensor("param." + name);
      if (tables.contains(name)) {
        rows_of(*tables.at(name)).copy_(value);
      } else {
        fixture_.parameter(name).copy_(value);
      }
    }
  }

  ParityCase golden_;
  MemoryFixture fixture_;
};

TEST_P(MemoryParity, ChoosesTheSameSlotsWithTheSameScores) {
  const at::Tensor slots = golden_.tensor("slots"), scores = golden_.tensor("scores");
  const at::Tensor input = golden_.tensor("input");
  const auto bag = fixture_.layer->choose(input.view({-1, input.size(-1)}), fixture_.context);
  EXPECT_TRUE(bag.slots.equal(slots.view(bag.slots.sizes())));
  EXPECT_LT(largest_error(bag.weights, at::softmax(scores, -1).view(bag.weights.sizes())), kTolerance);
}

TEST_P(MemoryParity, GivesTheSameOutputAndGradients) {
  const at::Tensor input = golden_.tensor("input").requires_grad_();
  const at::Tensor output = fixture_.forward(input);
  EXPECT_LT(largest_error(output, golden_.tensor("output")), kTolerance);
  output.backward(golden_.tensor("grad_output"));
  EXPECT_LT(largest_error(input.grad(), golden_.tensor("grad_input")), kTolerance);
  const auto tables = fixture_.named_tables();
  EXPECT_EQ(golden_.names("param.").size(), tables.size() + fixture_.parameters.size());
  for (const std::string& name : golden_.names("grad.")) {
    const at::Tensor gradient =
        tables.contains(name) ? dense_gradient(*tables.at(name)) : fixture_.parameter(name).grad();
    EXPECT_LT(largest_error(gradient, golden_.tensor("grad." + name)), kTolerance) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, MemoryParity, ::testing::ValuesIn(parity_files("memory_layer_")),
                         [](const auto& param_info) { return param_info.param.stem().string(); });

}  // namespace
}  // namespace memlayers::tests
