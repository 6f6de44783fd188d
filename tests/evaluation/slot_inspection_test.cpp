#include "evaluation/tables/slot_inspection.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/interrupt.h"
#include "evaluation/tables/inspected_texts.h"
#include "generation/tiny_model.h"
#include "support/memory_fixture.h"
#include "support/tiny_data.h"
#include "support/usage_error.h"

namespace memlayers::evaluation {
namespace {

data::Question question(int64_t id, const std::string& prompt, const std::vector<std::string>& answers = {}) {
  return {id, "sum", prompt, false, prompt, answers};
}

constexpr int64_t kHeads = 2, kTopK = 4;

class SlotInspection : public ::testing::Test {
 protected:
  SlotInspection()
      : tokenizer_(text::byte_tokenizer()),
        model_(memlayers::testing::tiny_model(3, text::byte_tokenizer()->vocab_size())) {
    tests::write_tiny_data(folder_.path());
    options_.sources = {{folder_.path().string(), 1.0}};
    options_.tokens = 0;
    options_.max_length = 128;
  }

  /// Bags of a text read alone, one token after the other: slots and weights [T, H*k].
  std::pair<at::Tensor, at::Tensor> bags(const std::vector<int64_t>& ids) {
    const at::NoGradGuard no_grad;
    at::Tensor slots, weights;
    const auto listening = model_.tables()[0].table->listen(
        [&](int64_t, const at::Tensor& s, const at::Tensor& w) { slots = s.clone(), weights = w.clone(); });
    model_.hidden(at::tensor(ids, at::kLong).unsqueeze(0));
    return {slots, weights.to(at::kDouble)};
  }

  std::vector<int64_t> document(int64_t index) {
    const data::PreparedSplit split(folder_.path(), "train");
    std::vector<int32_t> ids(split.document_length(index));
    split.read(index, 0, static_cast<int64_t>(ids.size()), ids.data());
    return {ids.begin(), ids.end()};
  }

  std::string refusal() {
    return tests::usage_error([&] { inspect(model_, *tokenizer_, options_); });
  }

  tests::TemporaryFolder folder_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  model::Transformer model_;
  InspectOptions options_;
};

TEST_F(SlotInspection, CountsEveryReadOfEveryDocument) {
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  EXPECT_EQ(found.documents, 200);
  EXPECT_EQ(found.tokens, data::PreparedSplit(folder_.path(), "train").tokens());
  ASSERT_EQ(found.layers.size(), 1U);
  EXPECT_EQ(found.layers[0].layer, 1);
  EXPECT_EQ(found.layers[0].reads, found.tokens * kHeads * kTopK);
  ASSERT_EQ(found.heads.size(), 2U);
  for (const results::HeadUse& head : found.heads) EXPECT_EQ(head.reads, found.tokens * kTopK);
  EXPECT_FALSE(found.interrupted);

  std::vector<int64_t> reads(64);
  for (int64_t i = 0; i < 200; ++i) {
    const auto [slots, weights] = bags(document(i));
    for (int64_t j = 0; j < slots.numel(); ++j) ++reads[slots.data_ptr<int64_t>()[j]];
  }
  EXPECT_EQ(found.layers[0].dead, std::count(reads.begin(), reads.end(), 0));
  for (const results::ReadSlot& slot : found.tables[0].most_read) EXPECT_EQ(slot.reads, reads[slot.slot]) << slot.slot;
  EXPECT_EQ(found.tables[0].most_read[0].reads, *std::max_element(reads.begin(), reads.end()));
}

TEST_F(SlotInspection, FindsTheDocumentsThatLightASlot) {
  options_.slot = inspect(model_, *tokenizer_, options_).tables[0].most_read[0].slot;
  options_.top = 5;
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  ASSERT_EQ(found.lights.size(), 1U);

  std::map<int64_t, double> expected;
  for (int64_t i = 0; i < 200; ++i) {
    const auto [slots, weights] = bags(document(i));
    expected[i] = at::where(slots == *options_.slot, weights, at::zeros_like(weights)).sum().item<double>();
  }
  std::vector<double> best;
  for (const auto& [index, weight] : expected) best.push_back(weight);
  std::sort(best.rbegin(), best.rend());
  ASSERT_EQ(found.lights[0].documents.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    const results::LitText& lit = found.lights[0].documents[i];
    EXPECT_NEAR(lit.weight, expected.at(lit.id), 1e-4);  // a batch of several rounds differently from one alone
    EXPECT_NEAR(lit.weight, best[i], 1e-4);
    EXPECT_NE(lit.text.find(" plus "), std::string::npos);
    EXPECT_FALSE(lit.token.empty());
  }
  double by_head = 0, in_all = 0;
  for (const results::SlotLight::By& by : found.lights[0].heads) by_head += by.weight;
  for (const auto& [index, weight] : expected) in_all += weight;
  EXPECT_NEAR(by_head, in_all, 1e-2);
}

TEST_F(SlotInspection, SaysWhichSlotsAnswerAtTheLastToken) {
  options_.ask = question(7, "3 plus 4 is", {"7"});
  options_.ask_has_id = true;
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  ASSERT_TRUE(found.asked.has_value());
  EXPECT_EQ(found.asked->id, 7);
  EXPECT_EQ(found.asked->token, "s");
  ASSERT_EQ(found.asked->heads.size(), 2U);
  const std::vector<int64_t> ids = prompt_ids(*tokenizer_, "3 plus 4 is");
  const auto [slots, weights] = bags(ids);
  const auto last = static_cast<int64_t>(ids.size()) - 1;
  for (int64_t head = 0; head < kHeads; ++head) {
    const auto& chosen = found.asked->heads[head];
    EXPECT_EQ(chosen.layer, 1);
    EXPECT_EQ(chosen.head, head);
    ASSERT_EQ(chosen.slots.size(), static_cast<size_t>(kTopK));
    double sum = 0;
    for (int64_t i = 0; i < kTopK; ++i) {
      EXPECT_EQ(chosen.slots[i].slot, slots[last][head * kTopK + i].item<int64_t>());
      EXPECT_GE(chosen.slots[i].layer_reads, chosen.slots[i].reads);
      if (i > 0) {
        EXPECT_LE(chosen.slots[i].weight, chosen.slots[i - 1].weight);
      }
      sum += chosen.slots[i].weight;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST_F(SlotInspection, ReadsNoMoreThanItIsTold) {
  options_.tokens = 100;
  options_.slot = 0;
  options_.questions = {question(1, "1 plus 1 is"), question(2, "2 plus 2 is")};
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  EXPECT_EQ(found.tokens, 100);
  EXPECT_EQ(found.layers[0].reads, 100 * kHeads * kTopK);
  EXPECT_EQ(found.questions, 2);
  EXPECT_EQ(found.question_tokens, 2 * 12);
}

TEST_F(SlotInspection, LongDocumentsAreReadInPartsAndStayOne) {
  options_.max_length = 7;
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  EXPECT_EQ(found.documents, 200);
  EXPECT_EQ(found.tokens, data::PreparedSplit(folder_.path(), "train").tokens());
}

TEST_F(SlotInspection, DriftFindsTheRowsThatWereMoved) {
  model::Transformer then = memlayers::testing::tiny_model(3, tokenizer_->vocab_size());
  const at::NoGradGuard no_grad;
  tests::rows_of(*model_.tables()[0].table)[17].mul_(1.5);
  tests::rows_of(*model_.tables()[0].table)[40].mul_(3);
  options_.since = &then;
  options_.since_name = "earlier";
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  ASSERT_EQ(found.drift.size(), 1U);
  EXPECT_EQ(found.drift[0].unmoved, 62);
  ASSERT_EQ(found.drift[0].most.size(), 2U);
  EXPECT_EQ(found.drift[0].most[0].slot, 40);
  EXPECT_NEAR(found.drift[0].most[0].relative, 2, 1e-6);
  EXPECT_EQ(found.drift[0].most[1].slot, 17);
  EXPECT_NEAR(found.drift[0].most[1].relative, 0.5, 1e-6);
}

TEST_F(SlotInspection, LeavesTablesOfNgramsToTheDrift) {
  model::ModelConfig config = memlayers::testing::tiny_config(tokenizer_->vocab_size());
  config.ngrams.layers = {1};  // the memory layer's block
  config.ngrams.rows = 20;
  config.ngrams.hashes = 2;
  model::Transformer mixed(config, 3);
  const model::Transformer start(config, 3);
  tests::rows_of(*mixed.tables()[1].table).select(0, 17).add_(1);
  options_.since = &start;
  options_.since_name = "start";
  options_.top = 1;
  const results::Inspection inspection = inspect(mixed, *tokenizer_, options_);
  ASSERT_EQ(inspection.tables.size(), 1u);
  EXPECT_EQ(inspection.tables[0].name, "model.memory_tables.0.weight");
  ASSERT_EQ(inspection.drift.size(), 2u);
  EXPECT_EQ(inspection.drift[1].name, "model.ngram_tables.0.weight");
  EXPECT_EQ(inspection.drift[1].most[0].slot, 17);

  config.memory.layers = {};
  model::Transformer ngrams_alone(config, 3);
  const std::string message = tests::usage_error([&] { inspect(ngrams_alone, *tokenizer_, options_); });
  EXPECT_NE(message.find("no memory layers"), std::string::npos) << message;
}

TEST_F(SlotInspection, RefusesWhatCannotBe) {
  options_.slot = 64;
  EXPECT_NE(refusal().find("slots are 0 to 63"), std::string::npos) << refusal();
  options_.slot = -1;
  EXPECT_NE(refusal().find("slot -1"), std::string::npos);
  options_.slot.reset();
  options_.ask = question(0, "  ");
  EXPECT_NE(refusal().find("empty"), std::string::npos);
  options_.ask = question(0, std::string(200, 'a'));
  EXPECT_NE(refusal().find("max_position_embeddings is 128"), std::string::npos) << refusal();
  options_.ask.reset();
  model::ModelConfig dense = memlayers::testing::tiny_config(tokenizer_->vocab_size());
  dense.memory.layers = {};
  model::Transformer without(dense, 1);
  EXPECT_NE(tests::usage_error([&] { inspect(without, *tokenizer_, options_); }).find("no memory layers"),
            std::string::npos);
}

TEST_F(SlotInspection, AnInterruptEndsItWithWhatWasRead) {
  base::set_interrupted(true);
  const results::Inspection found = inspect(model_, *tokenizer_, options_);
  base::set_interrupted(false);
  EXPECT_TRUE(found.interrupted);
  EXPECT_EQ(found.tokens, 0);
  EXPECT_TRUE(found.layers.empty());
}

}  // namespace
}  // namespace memlayers::evaluation
