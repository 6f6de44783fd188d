// The count of bits on a model that was really trained: near all there are, never more.
#include <gtest/gtest.h>

#include "data/prepare.h"
#include "evaluation/capacity/capacity.h"
#include "model/checkpoint.h"
#include "report/capacity/capacity_text.h"
#include "support/data_entropy.h"
#include "support/tiny_run.h"

namespace memlayers::evaluation {
namespace {

/// A run of few people, read so often that they are learned by heart.
class TrainedCapacity : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("MEMLAYERS_LOG", "error", 0);
    folder_ = new tests::TemporaryFolder;
    data::PrepareConfig prepare;
    prepare.output = data().string();
    prepare.tokenizer.vocab_size = 500;
    prepare.sources.resize(1);
    prepare.sources[0].kind = data::SourceKind::kBiographies;
    prepare.sources[0].people = 8;
    prepare.sources[0].copies = 100;
    data::prepare(prepare, false);
    training::train(config(), training::TrainOptions());
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::filesystem::path data() { return folder_->path() / "data"; }
  static training::TrainConfig config() {
    training::TrainConfig config = tests::tiny_run(data(), folder_->path() / "run");
    config.model.hidden_size = 64;
    config.model.intermediate_size = 128;
    config.model.max_position_embeddings = 64;
    config.model.memory.num_sub_keys = 16;
    config.model.memory.qk_norm = true;
    config.model.memory.value_dropout = 0;
    config.data.seq_len = 64;
    config.optimizer.learning_rate = 1e-2;
    config.optimizer.beta2 = 0.99;
    config.optimizer.table_learning_rate = 2e-2;
    config.steps = config.checkpoint_every = 900;
    config.log_every = 100;
    return config;
  }
  static std::unique_ptr<model::Transformer> trained() {
    return model::load_model(training::newest_checkpoint(folder_->path() / "run"));
  }
  static results::Capacity measure(model::Transformer& model, const CapacityOptions& options = {}) {
    return measure_capacity(model, *text::load_tokenizer(data()), data::read_biographies(data()), options);
  }

  static tests::TemporaryFolder* folder_;
};
tests::TemporaryFolder* TrainedCapacity::folder_ = nullptr;

TEST_F(TrainedCapacity, ComesCloseToAllThatIsInTheDataAndNeverBeyond) {
  const results::Capacity found = measure(*trained());
  constexpr double kRounding = 1 + 1e-6;
  EXPECT_LE(found.stored.value, found.most_bits * kRounding);
  EXPECT_LE(found.name.value, found.most_name_bits * kRounding);
  for (const results::AttributeCapacity& attribute : found.attributes) {
    EXPECT_LE(attribute.stored.value, attribute.most_bits * kRounding) << attribute.name;
    EXPECT_LE(attribute.extractable.value, attribute.most_bits * kRounding) << attribute.name;
  }
  EXPECT_LT(found.most_bits, tests::entropy(data::read_biographies(data())));
  EXPECT_GT(found.stored.value, 0.95 * found.most_bits) << report::capacity_text(found, "trained");
  EXPECT_GT(found.values_stored.value, found.values_extractable.value);
  EXPECT_EQ(found.attributes.back().most_bits, 0) << "the city of an employer follows from the employer";
}

TEST_F(TrainedCapacity, OfTheSameModelUntrainedIsZero) {
  model::Transformer model(
      model::load_model_config(training::newest_checkpoint(folder_->path() / "run") / "config.json"), 5);
  EXPECT_EQ(measure(model).stored.value, 0);
}

TEST_F(TrainedCapacity, OfFewerBitsAWeightTakesFewerBytesAndLosesLittleAtEight) {
  const results::Capacity whole = measure(*trained());
  double bytes = static_cast<double>(whole.size.bytes);
  for (const results::StoredFormat format :
       {results::StoredFormat::kBFloat16, results::StoredFormat::kInt8, results::StoredFormat::kInt4}) {
    CapacityOptions options;
    options.tables = options.weights = format;
    const results::Capacity found = measure(*trained(), options);
    EXPECT_EQ(found.size.parameters, whole.size.parameters);
    EXPECT_LT(static_cast<double>(found.size.bytes), 0.75 * bytes);
    bytes = static_cast<double>(found.size.bytes);
    EXPECT_NE(found.stored.value, whole.stored.value) << "nothing was rounded";
    if (format == results::StoredFormat::kInt4) continue;
    EXPECT_NEAR(found.stored.value, whole.stored.value, 0.05 * whole.stored.value);
  }
}

}  // namespace
}  // namespace memlayers::evaluation
