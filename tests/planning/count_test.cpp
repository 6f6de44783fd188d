#include "planning/count.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <iomanip>
#include <sstream>

#include "base/error.h"
#include "support/tiny_model.h"

namespace memlayers::tests {
namespace {

struct Published {
  const char* file;
  const char* millions;  // as printed in the paper's tables or derived from its formula
};

constexpr Published kPublished[] = {
    {"134m_dense", "134.1"},
    {"134m_memory", "936.5"},
    {"134m_peer", "1036.9"},
    {"134m_memory_plus_1m", "937.0"},
    {"373m_dense", "373.8"},
    {"373m_memory", "1441.0"},
    {"373m_peer", "1575.0"},
    {"373m_memory_plus_1m", "1440.5"},
    {"720m_dense", "721.2"},
    {"720m_memory", "2315.5"},
    {"720m_peer", "2516.6"},
    {"720m_memory_plus_1m", "2312.9"},
    {"1.3b_dense", "1261.4"},
    {"1.3b_memory", "3377.5"},
    {"1.3b_peer", "3645.6"},
    {"1.3b_memory_plus_1m", "3368.1"},
    {"1.3b_memory_plus_4m", "9823.1"},
    {"1.3b_memory_plus_16m", "35618.1"},
    {"1.3b_memory_plus_64m", "138747.6"},
    {"134m_moe", "983.6"},
    {"373m_moe", "1827.3"},
    {"720m_moe", "2797.5"},
    {"1.3b_moe", "3545.4"},
    {"8b_dense", "8030"},
    {"8b_memory_plus_16m", "76.5 B"},
};

std::filesystem::path paper_folder() { return std::filesystem::path(MEMLAYERS_SOURCE_DIR) / "configs" / "paper"; }

// `total` with as many digits as `like` has.
std::string printed_like(int64_t total, const std::string& like) {
  const bool billions = like.ends_with(" B");
  const size_t point = like.find('.');
  std::ostringstream out;
  const int digits = point == std::string::npos ? 0 : 1;
  out << std::fixed << std::setprecision(digits) << static_cast<double>(total) / (billions ? 1e9 : 1e6);
  return out.str() + (billions ? " B" : "");
}

TEST(Count, EveryPaperConfigurationHasThePublishedTotal) {
  for (const Published& published : kPublished) {
    const auto config = model::load_model_config(paper_folder() / (std::string(published.file) + ".yaml"));
    EXPECT_EQ(printed_like(planning::count_model(config, 4096).total, published.millions), published.millions)
        << published.file;
  }
}

TEST(Count, NoPaperConfigurationIsLeftOut) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(paper_folder())) {
    files += entry.path().extension() == ".yaml";
  }
  EXPECT_EQ(files, std::size(kPublished));
}

// Forward FLOPs a token of one Memory+ layer and of the feed-forward it replaces.
TEST(Count, FlopsOfTheMemoryLayerMatchThePapersArithmetic) {
  struct Row {
    const char* file;
    double feed_forward, memory;
  };
  for (const Row& row : {Row{"134m_memory_plus_1m", 9.4, 8.1},
                         {"373m_memory_plus_1m", 17.3, 12.9},
                         {"720m_memory_plus_1m", 37.7, 25.6},
                         {"1.3b_memory_plus_1m", 69.2, 42.5},
                         {"1.3b_memory_plus_4m", 69.2, 50.9},
                         {"1.3b_memory_plus_16m", 69.2, 67.6},
                         {"1.3b_memory_plus_64m", 69.2, 101},
                         {"8b_memory_plus_16m", 352, 202}}) {
    const auto config = model::load_model_config(paper_folder() / (std::string(row.file) + ".yaml"));
    const planning::ModelCount count = planning::count_model(config, 4096);
    const double blocks = static_cast<double>(config.num_hidden_layers - 3);
    EXPECT_NEAR(count.flops_memory / 3 / 1e6, row.memory, row.memory > 100 ? 0.5 : 0.06) << row.file;
    EXPECT_NEAR(count.flops_feed_forward / blocks / 1e6, row.feed_forward, row.feed_forward > 100 ? 0.5 : 0.06)
        << row.file;
  }
}

int64_t allocated(const model::Transformer& model) {
  int64_t elements = 0;
  for (const layers::Parameter& parameter : model.parameters()) elements += parameter.tensor->numel();
  for (const auto& [name, table] : model.tables()) elements += table->rows() * table->value_dim();
  return elements;
}

TEST(Count, EqualsWhatAModelAllocatesWhateverTheOptions) {
  std::vector<model::ModelConfig> configs = {tiny_config({}), tiny_config({1}), tiny_config({0, 2})};
  auto add = [&](auto change) {
    configs.push_back(tiny_config({0, 2}));
    change(configs.back());
  };
  add([](auto& c) { c.memory.shared_table = false; });
  add([](auto& c) { c.memory.value_dim = 24; });
  add([](auto& c) { c.memory.output = layers::MemoryOutput::kPlain; });
  add([](auto& c) { c.memory.output = layers::MemoryOutput::kPlain, c.memory.value_dim = 24; });
  add([](auto& c) { c.memory.qk_norm = c.memory.query_batch_norm = c.memory.scalar_gate = true; });
  add([](auto& c) { c.memory.softmax_sink = true, c.memory.random_reads = 3; });
  add([](auto& c) { c.memory.variant = layers::MemoryVariant::kPeer; });
  add([](auto& c) { c.memory.placement = layers::MemoryPlacement::kBeside; });
  add([](auto& c) {
    c.memory.placement = layers::MemoryPlacement::kBeside;
    c.memory.output = layers::MemoryOutput::kPlain;
  });
  add([](auto& c) { c.memory.placement = layers::MemoryPlacement::kEmbedding, c.memory.layers = {0}; });
  add([](auto& c) { c.tie_word_embeddings = true; });
  configs.push_back(tiny_expert_config());
  configs.push_back(tiny_expert_config({0}));
  configs.back().memory.layers = {1};
  configs.push_back(tiny_ngram_config());
  configs.push_back(tiny_ngram_config());
  configs.back().ngrams.shared_table = true;
  configs.push_back(tiny_ngram_config());
  configs.back().ngrams.value_dim = 5, configs.back().memory = tiny_config({1}).memory;
  for (const model::ModelConfig& config : configs) {
    const planning::ModelCount count = planning::count_model(config, 16);
    EXPECT_EQ(count.total + count.norms, allocated(model::Transformer(config, 1)));
  }
}

TEST(Count, ATokenIsComputedByFewExperts) {
  model::ModelConfig config = tiny_expert_config({1});
  auto count = [&] { return planning::count_model(config, 16); };
  const int64_t expert = 3 * 32 * 24, router = 4 * 32;
  EXPECT_EQ(count().experts, 4 * expert + router);
  EXPECT_EQ(count().active, count().total - 2 * expert);
  EXPECT_EQ(count().flops_experts, 2.0 * double(router + 2 * expert));
  config.experts.capacity_factor = 1.5;  // three of the four, on average
  EXPECT_EQ(count().flops_experts, 2.0 * double(router + 3 * expert));
  config.experts.capacity_factor = 100;
  EXPECT_EQ(count().flops_experts, 2.0 * double(router + 4 * expert));
  config.experts.routing = layers::ExpertRouting::kTokenChoice;  // no token chooses more than top_k
  EXPECT_EQ(count().flops_experts, 2.0 * double(router + 2 * expert));
  config.experts.capacity_factor = 0.5;
  EXPECT_EQ(count().flops_experts, 2.0 * double(router + expert));
  const planning::ModelCount dense = planning::count_model(tiny_config({}), 16);
  EXPECT_EQ(dense.experts, 0);
  EXPECT_EQ(dense.active, dense.total);
  const planning::ModelCount memory = planning::count_model(tiny_config({1}), 16);
  EXPECT_EQ(memory.active, memory.total - memory.tables + 2 * 4 * 32);  // heads * k rows of the table
}

TEST(Count, RandomSlotsCostTrainingOnlyAndASinkBoth) {
  model::ModelConfig config = tiny_config({1});
  const planning::ModelCount without = planning::count_model(config, 16);
  config.memory.random_reads = 3;
  planning::ModelCount with = planning::count_model(config, 16);
  const double random = 2.0 * double(2 * 3 * (16 + 32));  // 2 heads; K = 16, D = 32
  EXPECT_EQ(with.flops_forward, without.flops_forward);
  EXPECT_EQ(with.flops_training, without.flops_training + 3 * random);
  EXPECT_EQ(with.total, without.total);
  config.memory.variant = layers::MemoryVariant::kPeer;  // two tables
  with = planning::count_model(config, 16);
  EXPECT_EQ(with.flops_training, 3 * (with.flops_forward + 2.0 * double(2 * 3 * (16 + 2 * 32))));
  config = tiny_config({1});
  config.memory.softmax_sink = true;
  with = planning::count_model(config, 16);
  const int64_t sink = 2 * 16 + 32;
  EXPECT_EQ(with.total, without.total + sink);
  EXPECT_EQ(with.flops_forward, without.flops_forward + 2.0 * double(sink));
}

TEST(Count, AnNgramLayerIsTwoProjectionsAndFewRowsOfItsTable) {
  const planning::ModelCount count = planning::count_model(tiny_ngram_config(), 16),
                             dense = planning::count_model(tiny_config({}), 16);
  EXPECT_EQ(count.ngram_dense, 2 * 2 * 32 * 32);     // two layers; G * D = d
  EXPECT_EQ(count.ngram_tables, 2 * (4 * 50) * 8);   // a table each; 2 orders, 2 hashes, rows of 8
  EXPECT_EQ(count.norms, dense.norms + 2 * 2 * 32);  // of query and key
  EXPECT_EQ(count.active, count.total - count.ngram_tables + 2 * 4 * 8);
  EXPECT_EQ(count.flops_ngrams, 2 * 2.0 * (2 * 32 * 32 + 32));
  EXPECT_EQ(count.flops_forward, dense.flops_forward + count.flops_ngrams);
  EXPECT_EQ(count.total, dense.total + count.ngram_dense + count.ngram_tables);
  model::ModelConfig shared = tiny_ngram_config();
  shared.ngrams.shared_table = true;
  EXPECT_EQ(planning::count_model(shared, 16).ngram_tables, 4 * 50 * 8);
}

TEST(Count, WeightAndOptimizerBytesFollowFromTheCounts) {
  const auto config = tiny_config({1});
  const planning::ModelCount count = planning::count_model(config, 16);
  const int64_t dense = count.total - count.tables + count.norms;
  planning::TrainingShape shape{2, 16, ops::RowOptimizer::kExact, 4};
  planning::ByteCount bytes = planning::count_bytes(config, shape);
  EXPECT_EQ(bytes.weights, 4 * (dense + count.tables));
  EXPECT_EQ(bytes.optimizer, 8 * (dense + count.tables) + 4 * 64);
  EXPECT_EQ(bytes.total, bytes.weights + bytes.gradients + bytes.optimizer + bytes.activations);
  shape.table_optimizer = ops::RowOptimizer::kSgd;
  EXPECT_EQ(planning::count_bytes(config, shape).optimizer, 8 * dense);
  shape.compute_bytes = 2;
  EXPECT_EQ(planning::count_bytes(config, shape).weights, 4 * dense + 2 * count.tables);
  const planning::ModelCount lookup = planning::count_model(tiny_ngram_config(), 16);
  const planning::ByteCount lookup_bytes =
      planning::count_bytes(tiny_ngram_config(), {2, 16, ops::RowOptimizer::kExact, 4});
  EXPECT_EQ(lookup_bytes.weights, 4 * (lookup.total + lookup.norms));
  EXPECT_EQ(lookup_bytes.optimizer, 8 * (lookup.total + lookup.norms) + 4 * 2 * 200);
}

double bytes_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

TEST(Count, ActivationBytesAreWhatAForwardPassKeeps) {
  const double before_any = bytes_in_use();
  const at::Tensor probe = at::empty({1 << 22});
  if (bytes_in_use() < before_any + (1 << 24)) GTEST_SKIP() << "this allocator does not count";
  model::ModelConfig chosen_by_tokens = tiny_expert_config();
  chosen_by_tokens.experts.routing = layers::ExpertRouting::kTokenChoice;
  model::ModelConfig more_reads = tiny_config({0, 2});
  more_reads.memory.random_reads = 4, more_reads.memory.softmax_sink = true;
  for (model::ModelConfig config : {tiny_config({}), tiny_config({0, 2}), more_reads, tiny_expert_config(),
                                    chosen_by_tokens, tiny_ngram_config()}) {
    config.hidden_size = 64, config.head_dim = 0, config.intermediate_size = config.experts.intermediate_size = 256;
    config.memory.qk_norm = true;
    model::Transformer model(config, 1);
    layers::Pass pass{.training = true};
    const at::Tensor tokens = tiny_tokens(16, 65);
    model.loss(tokens, pass).backward();  // what torch allocates once
    const double before = bytes_in_use();
    const at::Tensor loss = model.loss(tokens, pass);
    const double kept = bytes_in_use() - before;
    const auto counted = static_cast<double>(planning::count_bytes(config, {16, 64}).activations);
    EXPECT_NEAR(counted / kept, 1, 0.1) << base::config_to_yaml(config);
  }
}

TEST(Count, TableGradientGrowsWithTheRowsTouchedAndNotWithTheTable) {
  auto config = tiny_config({1});
  config.memory.num_sub_keys = 100;
  const planning::TrainingShape shape{1, 16, ops::RowOptimizer::kExact, 4};
  auto table_gradient = [&] {
    const planning::ModelCount count = planning::count_model(config, 16);
    return planning::count_bytes(config, shape).gradients - 4 * (count.total - count.tables + count.norms);
  };
  const int64_t small = table_gradient();
  config.memory.num_sub_keys = 1000;
  EXPECT_EQ(table_gradient(), small);
}

}  // namespace
}  // namespace memlayers::tests
