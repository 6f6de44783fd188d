#include "layers/memory_layer.h"

#include <ATen/record_function.h>

#include "support/gradcheck.h"
#include "support/memory_fixture.h"
#include "support/test_table.h"
#include "support/tolerance.h"

namespace memlayers::tests {
namespace {

using layers::MemoryConfig;
using layers::MemoryOutput;
using layers::MemoryPlacement;
using layers::MemoryVariant;

constexpr int64_t kHidden = 12;

MemoryConfig small_config() {
  MemoryConfig config;
  config.layers = {0};
  config.num_sub_keys = 5;
  config.heads = 2;
  config.top_k = 3;
  config.key_dim = 8;
  config.value_dim = kHidden;
  return config;
}

struct Option {
  const char* name;
  std::function<void(MemoryConfig&)> set;
};

// What may be switched on by itself; combined in pairs below.
std::vector<Option> options() {
  return {{"plain", [](auto& c) { c.output = MemoryOutput::kPlain; }},
          {"projected", [](auto& c) { c.value_dim = c.variant == MemoryVariant::kPeer ? kHidden : 10; }},
          {"scalar_gate", [](auto& c) { c.scalar_gate = true; }},
          {"qk_norm", [](auto& c) { c.qk_norm = true; }},
          {"query_batch_norm", [](auto& c) { c.query_batch_norm = true; }},
          {"softmax_sink", [](auto& c) { c.softmax_sink = c.variant != MemoryVariant::kPeer; }},
          {"random_reads", [](auto& c) { c.random_reads = 2; }},
          {"peer", [](auto& c) { c.variant = MemoryVariant::kPeer, c.value_dim = kHidden, c.softmax_sink = false; }},
          {"input_dropout", [](auto& c) { c.input_dropout = 0.3; }},
          {"query_dropout", [](auto& c) { c.query_dropout = 0.3; }},
          {"value_dropout", [](auto& c) { c.value_dropout = 0.3; }}};
}

at::Tensor random_input(int64_t seed = 7, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(seed);
  return at::randn({2, 3, kHidden}, dtype);
}

TEST(MemoryLayer, EveryPairOfOptionsRunsForwardAndBackward) {
  for (const Option& first : options()) {
    for (const Option& second : options()) {
      MemoryConfig config = small_config();
      first.set(config);
      second.set(config);
      MemoryFixture fixture(config, kHidden);
      fixture.pass.training = true;
      const at::Tensor x = random_input().requires_grad_();
      const at::Tensor y = fixture.forward(x);
      ASSERT_EQ(y.sizes(), x.sizes()) << first.name << " with " << second.name;
      y.square().sum().backward();
      EXPECT_GT(x.grad().abs().sum().item<double>(), 0) << first.name << " with " << second.name;
      for (const layers::Parameter& parameter : fixture.parameters) {
        ASSERT_TRUE(parameter.tensor->grad().defined()) << parameter.name << ": " << first.name << ", " << second.name;
        EXPECT_TRUE(parameter.tensor->grad().isfinite().all().item<bool>()) << parameter.name;
      }
      for (const auto& [name, table] : fixture.named_tables()) EXPECT_EQ(table->records().size(), 1u) << name;
    }
  }
}

TEST(MemoryLayer, EveryOptionChangesTheOutput) {
  const at::Tensor x = random_input();
  MemoryFixture base(small_config(), kHidden);
  base.pass.training = true;
  const at::Tensor expected = base.forward(x);
  for (const Option& option : options()) {
    MemoryConfig config = small_config();
    option.set(config);
    MemoryFixture fixture(config, kHidden);
    fixture.pass.training = true;
    EXPECT_FALSE(fixture.forward(x).allclose(expected, 1e-4, 1e-5)) << option.name;
  }
}

// Forward as a function of the input and all parameters in float64.
double parameter_gradient_error(MemoryFixture& fixture, const at::Tensor& x) {
  std::vector<at::Tensor> inputs = {x};
  for (const layers::Parameter& parameter : fixture.parameters) inputs.push_back(parameter.tensor->detach());
  const auto function = [&](const std::vector<at::Tensor>& values) {
    for (size_t i = 0; i < fixture.parameters.size(); ++i) *fixture.parameters[i].tensor = values[i + 1];
    fixture.pass.dropout = {};
    return fixture.forward(values[0]);
  };
  return gradient_error(function, inputs);
}

// Smallest distance between the last slot chosen and the first one not: differences must not cross it.
double selection_gap(MemoryFixture& fixture, MemoryConfig config, const at::Tensor& x) {
  config.top_k += 1;
  config.input_dropout = config.query_dropout = 0;
  config.random_reads = 0;
  MemoryFixture wider(config, kHidden);
  wider.pass.training = true;
  wider.to(at::kDouble);
  for (size_t i = 0; i < fixture.parameters.size(); ++i) *wider.parameters[i].tensor = *fixture.parameters[i].tensor;
  const auto bag = wider.layer->choose(x.view({-1, kHidden}), wider.context);
  const at::Tensor scores = at::log(bag.weights.detach()).view({-1, config.top_k});  // up to a constant a row
  return (scores.select(1, config.top_k - 2) - scores.select(1, config.top_k - 1)).min().item<double>();
}

TEST(MemoryLayer, GradientsOfInputAndParametersMatchCentralDifferences) {
  for (const Option& option : options()) {
    MemoryConfig config = small_config();
    option.set(config);
    MemoryFixture fixture(config, kHidden);
    fixture.pass.training = true;
    fixture.to(at::kDouble);
    const at::Tensor x = random_input(5, at::kDouble);
    ASSERT_GT(selection_gap(fixture, config, x), 1e-4) << option.name << ": take another seed";
    EXPECT_LT(parameter_gradient_error(fixture, x), 10 * kGradcheck) << option.name;
  }
}

TEST(MemoryLayer, TableRecordsMatchCentralDifferences) {
  for (const MemoryVariant variant : {MemoryVariant::kValues, MemoryVariant::kPeer}) {
    MemoryConfig config = small_config();
    config.variant = variant;
    MemoryFixture fixture(config, kHidden);
    fixture.to(at::kDouble);
    const at::Tensor x = random_input(3, at::kDouble), factors = random_input(4, at::kDouble);
    (fixture.forward(x) * factors).sum().backward();
    for (const auto& [name, table] : fixture.named_tables()) {
      const at::Tensor gradient = dense_gradient(*table);
      double* row = rows_of(*table).data_ptr<double>();
      for (int64_t e = 0; e < rows_of(*table).numel(); e += 7) {
        const double center = row[e], step = 1e-6;
        row[e] = center + step;
        const double above = (fixture.forward(x) * factors).sum().item<double>();
        row[e] = center - step;
        const double below = (fixture.forward(x) * factors).sum().item<double>();
        row[e] = center;
        EXPECT_NEAR(gradient.data_ptr<double>()[e], (above - below) / (2 * step), 1e-6) << name << " " << e;
      }
    }
  }
}

TEST(MemoryLayer, EqualsTheDefinitionOverAllSlots) {
  const MemoryConfig config = small_config();
  MemoryFixture fixture(config, kHidden);
  const at::Tensor x = random_input();
  const at::Tensor flat = x.view({-1, kHidden});
  const at::Tensor query =
      at::linear(flat, fixture.parameter("query_proj.weight"), fixture.parameter("query_proj.bias"))
          .view({-1, config.heads, 2, config.key_dim / 2});
  const at::Tensor half = at::einsum("thcw,hcnw->thcn", {query, fixture.parameter("sub_keys")});
  const at::Tensor all = (half.select(2, 0).unsqueeze(3) + half.select(2, 1).unsqueeze(2)).flatten(2);  // [N, H, n*n]
  const auto [scores, slots] = all.topk(config.top_k);
  const at::Tensor rows =
      rows_of(*fixture.tables.values).index_select(0, slots.flatten()).view({6, config.heads, 3, kHidden});
  const at::Tensor y = (scores.softmax(-1).unsqueeze(3) * rows).sum({1, 2});
  const at::Tensor gate = at::silu(at::linear(flat, fixture.parameter("gate_proj.weight")));
  const at::Tensor expected = at::linear(y * gate, fixture.parameter("out_proj.weight")).view(x.sizes());
  EXPECT_TRUE(fixture.forward(x).allclose(expected, 1e-5, 1e-6));
}

TEST(MemoryLayer, WeightsOfEachTokenSumToTheNumberOfHeads) {
  MemoryFixture fixture(small_config(), kHidden);
  const auto bag = fixture.layer->choose(random_input().view({-1, kHidden}), fixture.context);
  EXPECT_TRUE(bag.weights.sum(1).allclose(at::full({6}, 2.0)));
}

TEST(MemoryLayer, AllSlotsMayBeRead) {
  MemoryConfig config = small_config();
  config.num_sub_keys = 2;
  config.top_k = 4;
  MemoryFixture fixture(config, kHidden);
  const auto bag = fixture.layer->choose(random_input().view({-1, kHidden}), fixture.context);
  EXPECT_TRUE(std::get<0>(bag.slots.view({6, 2, 4}).sort(-1)).equal(at::arange(4).expand({6, 2, 4})));
}

TEST(MemoryLayer, WorksWithoutTokens) {
  MemoryFixture fixture(small_config(), kHidden);
  EXPECT_EQ(fixture.forward(at::empty({0, 3, kHidden})).sizes(), (at::IntArrayRef{0, 3, kHidden}));
}

TEST(MemoryLayer, BesideStartsAtZeroAndStillLearns) {
  for (const MemoryOutput output : {MemoryOutput::kGated, MemoryOutput::kPlain}) {
    MemoryConfig config = small_config();
    config.placement = MemoryPlacement::kBeside;
    config.output = output;
    MemoryFixture fixture(config, kHidden);
    const at::Tensor y = fixture.forward(random_input());
    EXPECT_EQ(y.abs().max().item<float>(), 0);
    y.sum().backward();
    EXPECT_GT(fixture.parameter("out_proj.weight").grad().abs().sum().item<float>(), 0);
  }
}

TEST(MemoryLayer, QkNormMakesScoresIndependentOfTheQuerysLength) {
  MemoryConfig config = small_config();
  config.qk_norm = true;
  MemoryFixture fixture(config, kHidden);
  const at::Tensor x = random_input().view({-1, kHidden});
  const auto bag = fixture.layer->choose(x, fixture.context), scaled = fixture.layer->choose(100 * x, fixture.context);
  EXPECT_TRUE(bag.slots.equal(scaled.slots));
  EXPECT_TRUE(bag.weights.allclose(scaled.weights, 1e-3, 1e-4));  // eps is felt a little
}

TEST(MemoryLayer, BatchNormLearnsItsStatisticsInTrainingOnly) {
  MemoryConfig config = small_config();
  config.query_batch_norm = true;
  MemoryFixture fixture(config, kHidden);
  const at::Tensor x = random_input();
  const at::Tensor before = fixture.buffers.at(0).tensor->clone();
  fixture.forward(x);
  EXPECT_TRUE(fixture.buffers.at(0).tensor->equal(before));
  fixture.pass.training = true;
  fixture.forward(x);
  EXPECT_FALSE(fixture.buffers.at(0).tensor->equal(before));
}

TEST(MemoryLayer, DropoutIsAFunctionOfSeedAndStep) {
  MemoryConfig config = small_config();
  config.input_dropout = config.query_dropout = config.value_dropout = 0.4;
  config.random_reads = 2;
  MemoryFixture fixture(config, kHidden);
  const at::Tensor x = random_input();
  const at::Tensor still = fixture.forward(x);
  fixture.pass.training = true;
  auto drawn = [&](uint64_t seed, uint64_t step) {
    fixture.pass.dropout = {seed, step, 0};
    return fixture.forward(x);
  };
  const at::Tensor first = drawn(1, 5);
  EXPECT_TRUE(bit_equal(drawn(1, 5), first));
  EXPECT_FALSE(first.equal(still));
  EXPECT_FALSE(drawn(1, 6).equal(first));
  EXPECT_FALSE(drawn(2, 5).equal(first));
  fixture.pass.dropout = {1, 5, 0};
  fixture.forward(x);
  EXPECT_FALSE(fixture.forward(x).equal(first)) << "the step's second pass draws other masks";
}

TEST(MemoryLayer, ASinkTakesPartInEveryHeadsSoftmax) {
  MemoryConfig config = small_config();
  config.output = MemoryOutput::kPlain;
  MemoryFixture without(config, kHidden);
  config.softmax_sink = true;
  MemoryFixture fixture(config, kHidden);
  const at::NoGradGuard guard;
  at::manual_seed(3);
  fixture.parameter("sink_key") = at::randn({2, 2, 4});
  fixture.parameter("sink_value") = at::randn({kHidden});
  const at::Tensor x = random_input().view({-1, kHidden});
  const auto bag = fixture.layer->choose(x, fixture.context), plain = without.layer->choose(x, without.context);
  EXPECT_TRUE(bag.slots.equal(plain.slots));
  EXPECT_TRUE((bag.weights.sum(1) + bag.sink_weight.view({-1})).allclose(at::full({6}, 2.0)));
  // A head's share of the sink, from the other model's weights: their scores are log-weights up to one number a head.
  const at::Tensor query =
      at::linear(x, fixture.parameter("query_proj.weight"), fixture.parameter("query_proj.bias")).view({6, 2, 8});
  const at::Tensor scores = at::einsum("thk,hk->th", {query, fixture.parameter("sink_key").view({2, 8})});
  const at::Tensor best = at::einsum("thcw,hcnw->thcn", {query.view({6, 2, 2, 4}), fixture.parameter("sub_keys")});
  const at::Tensor all = (best.select(2, 0).unsqueeze(3) + best.select(2, 1).unsqueeze(2)).flatten(2);
  const at::Tensor chosen = std::get<0>(all.topk(config.top_k));
  const at::Tensor share = at::exp(scores) / (at::exp(scores) + at::exp(chosen).sum(-1));  // [N, H]
  EXPECT_TRUE(bag.sink_weight.view({-1}).allclose(share.sum(1)));
  const at::Tensor remaining = (plain.weights.view({6, 2, 3}) * (1 - share).unsqueeze(2)).view({6, 6});
  EXPECT_TRUE(bag.weights.allclose(remaining));
  const at::Tensor rows = rows_of(*fixture.tables.values).index_select(0, bag.slots.flatten()).view({6, 6, kHidden});
  const at::Tensor expected =
      (bag.weights.unsqueeze(2) * rows).sum(1) + bag.sink_weight * fixture.parameter("sink_value");
  EXPECT_TRUE(fixture.forward(x).allclose(expected, 1e-5, 1e-6));
}

TEST(MemoryLayer, RandomReadsJoinTheBestInTrainingOnly) {
  MemoryConfig config = small_config();
  MemoryFixture without(config, kHidden);
  config.random_reads = 4;
  MemoryFixture fixture(config, kHidden);
  at::manual_seed(3);
  const at::Tensor x = at::randn({500, kHidden});
  const auto still = fixture.layer->choose(x, fixture.context);
  EXPECT_TRUE(still.slots.equal(without.layer->choose(x, without.context).slots));
  fixture.pass.training = true;
  const auto bag = fixture.layer->choose(x, fixture.context);
  const at::Tensor slots = bag.slots.view({500, 2, 7});
  EXPECT_TRUE(slots.narrow(2, 0, 3).equal(still.slots.view({500, 2, 3})));
  EXPECT_TRUE(bag.weights.sum(1).allclose(at::full({500}, 2.0)));
  const at::Tensor drawn = at::bincount(slots.narrow(2, 3, 4).flatten(), {}, 25);  // 4,000 draws of 25 slots
  EXPECT_GT(drawn.min().item<int64_t>(), 100);
  EXPECT_LT(drawn.max().item<int64_t>(), 220);
  const at::Tensor query =
      at::linear(x, fixture.parameter("query_proj.weight"), fixture.parameter("query_proj.bias")).view({500, 2, 2, 4});
  const at::Tensor half = at::einsum("thcw,hcnw->thcn", {query, fixture.parameter("sub_keys")});
  const at::Tensor all = (half.select(2, 0).unsqueeze(3) + half.select(2, 1).unsqueeze(2)).flatten(2);  // [N, H, n*n]
  EXPECT_TRUE(bag.weights.view({500, 2, 7}).allclose(all.gather(2, slots).softmax(-1)));
}

TEST(MemoryLayer, TheTablesKeeperAndListenersSeeEveryRead) {
  MemoryFixture fixture(small_config(), kHidden);
  at::Tensor before, after, weights;
  TestKeeper keeper([&](const at::Tensor& slots) { before = slots; });
  fixture.tables.values->set_keeper(&keeper);
  const auto listening =
      fixture.tables.values->listen([&](int64_t layer, const at::Tensor& slots, const at::Tensor& read_weights) {
        EXPECT_EQ(layer, 0);
        after = slots, weights = read_weights;
      });
  fixture.forward(random_input());
  EXPECT_EQ(before.sizes(), (at::IntArrayRef{6, 6}));
  EXPECT_TRUE(after.equal(before));
  EXPECT_FALSE(weights.requires_grad());
}

// A small layer decodes in one call, in float32: what it computes is what it computes otherwise.
TEST(MemoryLayer, DecodingFollowsTheLayerOperationByOperation) {
  const at::NoGradGuard guard;
  for (const Option& first : options()) {
    for (const Option& second : options()) {
      MemoryConfig config = small_config();
      config.top_k = 25;  // all: no slot flips at a near tie
      first.set(config);
      second.set(config);
      MemoryFixture fixture(config, kHidden);
      at::manual_seed(2);
      for (const layers::Parameter& parameter : fixture.parameters)
        parameter.tensor->add_(at::randn_like(*parameter.tensor) / 4);
      const at::Tensor x = random_input();
      const at::Tensor expected = fixture.forward(x);
      EXPECT_TRUE(fixture.decode(x).allclose(expected, 1e-4, 1e-5)) << first.name << " and " << second.name;
    }
  }
}

TEST(MemoryLayer, ASmallLayerIsDecodedInOneCall) {
  const at::NoGradGuard guard;
  MemoryFixture fixture(small_config(), kHidden);
  const auto projection = [&](const std::string& name) {
    return ops::Projection{fixture.parameter(name + ".weight"), fixture.parameter(name + ".bias")};
  };
  ops::MemoryWeights weights;
  weights.query = projection("query_proj");
  weights.sub_keys = fixture.parameter("sub_keys");
  weights.k = small_config().top_k;
  weights.gate = projection("gate_proj");
  weights.out = projection("out_proj");
  const at::Tensor x = random_input();
  const ops::DecodedMemory decoded =
      ops::decode_memory(x.view({-1, kHidden}), ops::pack_memory(weights), rows_of(*fixture.tables.values));
  EXPECT_TRUE(bit_equal(fixture.decode(x), decoded.output.view(x.sizes())));
  // Whatever the model computes in, and not where a gradient is wanted.
  EXPECT_TRUE(bit_equal(fixture.decode(x.to(at::kBFloat16).to(at::kFloat)).to(at::kBFloat16),
                        fixture.decode(x.to(at::kBFloat16))));
  const at::AutoGradMode with_gradient(true);
  EXPECT_TRUE(fixture.forward(x).requires_grad());
}

TEST(MemoryLayer, FrozenAgainItSeesParametersAndRowsThatHaveChanged) {
  const at::NoGradGuard guard;
  MemoryConfig config = small_config();
  config.qk_norm = config.query_batch_norm = true;
  MemoryFixture fixture(config, kHidden);
  const at::Tensor x = random_input();
  layers::ParameterList all = fixture.parameters;
  all.insert(all.end(), fixture.buffers.begin(), fixture.buffers.end());
  const std::vector<std::pair<const char*, std::function<void(at::Tensor&)>>> changes = {
      {"in place", [](at::Tensor& tensor) { tensor.add_(at::rand_like(tensor)); }},
      {"through a pointer",
       [](at::Tensor& tensor) { layers::fill_random(tensor, layers::Initializer::uniform(1), 3); }},
      {"another tensor", [](at::Tensor& tensor) { tensor = tensor.detach() + at::rand_like(tensor); }}};
  for (const auto& [how, change] : changes) {
    for (const layers::Parameter& parameter : all) {
      const at::Tensor before = fixture.decode(x);
      change(*parameter.tensor);
      if (parameter.name.find("var") != std::string::npos) parameter.tensor->abs_();
      const at::Tensor decoded = fixture.decode(x);
      EXPECT_FALSE(bit_equal(decoded, before)) << parameter.name << ", " << how;
      EXPECT_TRUE(decoded.allclose(fixture.forward(x), 1e-3, 1e-4)) << parameter.name << ", " << how;
    }
  }
  // Rows that an optimizer brings up to date when told that they are about to be read.
  at::Tensor& rows = rows_of(*fixture.tables.values);
  const at::Tensor before = fixture.decode(x);
  TestKeeper keeper([&](const at::Tensor& slots) { rows.index_fill_(0, slots.flatten(), 1); }, [&] { rows.fill_(1); });
  fixture.tables.values->set_keeper(&keeper);
  const at::Tensor after = fixture.decode(x);
  fixture.tables.values->set_keeper(nullptr);
  rows.fill_(1);
  EXPECT_FALSE(after.allclose(before));
  EXPECT_TRUE(bit_equal(after, fixture.decode(x)));
}

// Who looks on changes nothing.
TEST(MemoryLayer, DecodingHasTheSameBitsWithListenersAndAKeeper) {
  const at::NoGradGuard guard;
  for (const Option& first : options()) {
    for (const Option& second : options()) {
      MemoryConfig config = small_config();
      first.set(config);
      second.set(config);
      MemoryFixture fixture(config, kHidden);
      for (const auto dtype : {at::kFloat, at::kBFloat16}) {
        for (const auto& [name, table] : fixture.named_tables()) table->set_dtype(dtype);
        for (int64_t tokens : {1, 3, 40}) {
          at::manual_seed(tokens);
          const at::Tensor x = at::randn({1, tokens, kHidden});
          const at::Tensor alone = fixture.decode(x);
          int reads = 0, kept = 0;
          const auto listening = fixture.tables.values->listen([&](auto&&...) { ++reads; });
          EXPECT_TRUE(bit_equal(fixture.decode(x), alone)) << first.name << " and " << second.name;
          EXPECT_EQ(reads, 1);
          TestKeeper keeper([&](const at::Tensor&) { ++kept; }, [&] { ++kept; });
          fixture.tables.values->set_keeper(&keeper);
          EXPECT_TRUE(bit_equal(fixture.decode(x), alone)) << first.name << " and " << second.name;
          fixture.tables.values->set_keeper(nullptr);
          EXPECT_EQ(reads, 2);
          EXPECT_GT(kept, 0);
        }
      }
    }
  }
}

// Counts the calls of an operator while it lives.
class CallsOf {
 public:
  explicit CallsOf(const char* name)
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(&count).scopes({at::RecordScope::FUNCTION}))) {
    wanted() = name, calls() = 0;
  }
  ~CallsOf() { at::removeCallback(handle_); }
  static int& calls() {
    static int value = 0;
    return value;
  }

 private:
  static std::string& wanted() {
    static std::string value;
    return value;
  }
  static std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& function) {
    calls() += wanted() == function.name() ? 1 : 0;
    return nullptr;
  }
  at::CallbackHandle handle_;
};

TEST(MemoryLayer, UnderAKeeperATokenIsDecodedOnce) {
  const at::NoGradGuard guard;
  MemoryFixture fixture(small_config(), kHidden);
  int selections = 0, whole = 0;
  TestKeeper keeper([&](const at::Tensor&) { ++selections; }, [&] { ++whole; });
  fixture.tables.values->set_keeper(&keeper);
  layers::MemoryLayer frozen = *fixture.layer;
  frozen.freeze(at::kFloat);
  EXPECT_EQ(whole, 1) << "freezing brings the table up to date";
  const CallsOf decodings("memlayers::decode_memory");
  fixture.decode(frozen, random_input());
  EXPECT_EQ(decodings.calls(), 1);
  EXPECT_EQ(selections, 0);
  fixture.tables.values->set_keeper(nullptr);
}

TEST(MemoryLayer, AFrozenCopyLeavesTheLayerAsItIs) {
  MemoryFixture fixture(small_config(), kHidden);
  layers::MemoryLayer frozen = *fixture.layer;
  frozen.freeze(at::kBFloat16);
  const at::Tensor x = random_input();
  fixture.forward(x).sum().backward();
  for (const layers::Parameter& parameter : fixture.parameters) {
    EXPECT_EQ(parameter.tensor->scalar_type(), at::kFloat);
    EXPECT_TRUE(parameter.tensor->grad().defined()) << parameter.name;
  }
}

TEST(MemoryLayer, BFloat16FollowsFloat32) {
  for (const MemoryVariant variant : {MemoryVariant::kValues, MemoryVariant::kPeer}) {
    MemoryConfig config = small_config();
    config.variant = variant;
    config.top_k = 25;  // all: no slot flips at a near tie
    config.softmax_sink = variant == MemoryVariant::kValues;
    MemoryFixture fixture(config, kHidden);
    if (config.softmax_sink) {
      const at::NoGradGuard guard;
      fixture.parameter("sink_value").uniform_(-1, 1);
    }
    const at::Tensor x = random_input();
    const at::Tensor expected = fixture.forward(x);
    for (const auto& [name, table] : fixture.named_tables()) table->set_dtype(at::kBFloat16);
    fixture.context.dtype = at::kBFloat16;
    const at::Tensor y = fixture.forward(x.to(at::kBFloat16));
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    EXPECT_LT((y.to(at::kFloat) - expected).abs().max().item<float>(), 0.03 * expected.abs().max().item<float>());
    y.sum().backward();
    EXPECT_EQ(fixture.parameter("query_proj.weight").grad().scalar_type(), at::kFloat);
    EXPECT_EQ(fixture.tables.values->records().at(0).grad_output.scalar_type(), at::kFloat);
  }
}

}  // namespace
}  // namespace memlayers::tests
