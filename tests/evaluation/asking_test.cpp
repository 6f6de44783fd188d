#include "evaluation/questions/asking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "evaluation/questions/answer_breakdown.h"
#include "evaluation/questions/answer_file.h"
#include "evaluation/requests/requests.h"
#include "generation/tiny_model.h"

namespace memlayers::evaluation {
namespace {

namespace fs = std::filesystem;
using memlayers::testing::tiny_model;

const std::shared_ptr<const text::Tokenizer> kBytes = text::byte_tokenizer();
const int64_t kVocabulary = kBytes->vocab_size();

std::vector<data::Question> some_questions(int64_t count) {
  std::vector<data::Question> questions;
  for (int64_t i = 0; i < count; ++i) {
    const std::string name(static_cast<size_t>(1 + i % 5), static_cast<char>('A' + i % 26));
    questions.push_back({i, i % 2 == 0 ? "code" : "capital", name, i % 3 == 0, "It is " + name, {name, "B" + name}});
  }
  return questions;
}

AskOptions short_answers() {
  AskOptions options;
  options.max_new_tokens = 5;
  return options;
}

class AskingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "memlayers_asking_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    options_ = short_answers();
    options_.resume_file = folder_ / "answers.jsonl";
  }
  void TearDown() override {
    base::set_interrupted(false);
    fs::remove_all(folder_);
  }
  std::vector<std::string> lines() const {
    std::ifstream in(options_.resume_file);
    std::vector<std::string> result;
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
  }
  void write(const std::string& text) const { base::write_text_atomically(options_.resume_file, text); }

  fs::path folder_;
  AskOptions options_;
  model::Transformer model_ = tiny_model(3, kVocabulary);
  const std::vector<data::Question> questions_ = some_questions(20);
};

/// The ids of a text with begin of document.
std::vector<int64_t> ids(const std::string& text) {
  std::vector<int64_t> result{kBytes->bos()};
  for (int32_t id : kBytes->encode(text)) result.push_back(id);
  return result;
}

TEST_F(AskingTest, NatsAreThoseOfTheLikeliestAcceptedAnswerWithItsPeriod) {
  const std::vector<Answer> answers = ask(model_, *kBytes, questions_, short_answers()).answers;
  ASSERT_EQ(answers.size(), questions_.size());
  generation::Engine engine(model_);
  for (size_t i : {0u, 7u, 19u}) {
    double best = 1e300;
    for (const std::string& truth : questions_[i].answers) {
      std::vector<int64_t> tail = ids(" " + truth + ".");
      tail.erase(tail.begin());
      best = std::min(best, -engine.log_likelihood({ids(questions_[i].prompt)}, {tail})[0]);
    }
    EXPECT_NEAR(answers[i].nats, best, 1e-4);
    EXPECT_EQ(answers[i].id, questions_[i].id);
  }
}

TEST_F(AskingTest, NatsByTokenAreThoseOfTheLikeliestAnswerAndAreKept) {
  const std::vector<Answer> answers = ask(model_, *kBytes, questions_, options_).answers;
  const std::map<int64_t, Answer> kept = read_answers(options_.resume_file);
  ASSERT_EQ(kept.size(), questions_.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const size_t tokens = answers[i].nats_by_token.size();  // a space, the name, a full stop, all bytes
    EXPECT_TRUE(tokens == questions_[i].answers[0].size() + 2 || tokens == questions_[i].answers[1].size() + 2);
    double sum = 0;
    for (const double nats : answers[i].nats_by_token) {
      sum += nats;
      EXPECT_EQ(std::round(nats * 1e4) / 1e4, nats);
    }
    EXPECT_NEAR(sum, answers[i].nats, 5e-5 * static_cast<double>(tokens));
    const Answer& one = kept.at(questions_[i].id);
    EXPECT_EQ(one.nats_by_token, answers[i].nats_by_token);
    EXPECT_EQ(one.nats, answers[i].nats);
    EXPECT_EQ(one.text, answers[i].text);
  }
}

TEST_F(AskingTest, AnswersKeptBeforeTokensWereAreReadAndNotAskedAgain) {
  ask(model_, *kBytes, questions_, options_);
  std::string text;
  for (const std::string& line : lines()) {
    auto object = nlohmann::ordered_json::parse(line);
    object.erase("nats_by_token");
    text += object.dump() + "\n";
  }
  write(text);
  for (const Answer& answer : ask(model_, *kBytes, questions_, options_).answers) {
    EXPECT_TRUE(answer.nats_by_token.empty());
    EXPECT_GT(answer.nats, 0);
  }
  EXPECT_EQ(base::read_text(options_.resume_file), text);
}

TEST(BreakDownAnswers, CountsTheTokensOfTheFirstAcceptedAnswerAndTakesAnswersById) {
  const std::vector<data::Question> questions = {{1, "r", "", true, "It is ", {" a ", "long"}},
                                                 {2, "r", "", true, "p", {"abc"}},
                                                 {3, "r", "", false, "p", {"abcdef"}}};
  EXPECT_EQ(answer_tokens(*kBytes, questions[0]), 2);  // a space and a letter
  EXPECT_EQ(answer_tokens(*kBytes, questions[1]), 4);
  const results::AnswerBreakdown told =
      break_down(*kBytes, questions, {{1, {1, "a", true, 1, 0.5, {0.25, 0.25}}}, {3, {3, "x", false, 0, 9, {}}}});
  ASSERT_EQ(told.lengths.size(), 2u) << "question 2 was not answered";
  EXPECT_EQ(told.lengths[0].tokens, 2);
  EXPECT_EQ(told.lengths[0].exact_match, 1);
  EXPECT_EQ(told.lengths[0].first_nats, 0.25);
  EXPECT_EQ(told.lengths[1].wording, "unseen");
  EXPECT_EQ(told.lengths[1].tokens, results::kLongAnswer);
  EXPECT_EQ(told.lengths[1].nats, 9);
  EXPECT_FALSE(told.lengths[1].first_nats.has_value());
}

TEST_F(AskingTest, AnswersAreWhatTheModelSaysGreedilyAndAreMarkedByTheirTruth) {
  const std::vector<Answer> first = ask(model_, *kBytes, questions_, short_answers()).answers;
  std::vector<data::Question> known = questions_;
  size_t said = 0;
  for (size_t i = 0; i < known.size(); ++i) {
    said += first[i].text.empty() ? 0 : 1;
    known[i].answers = {"something else", first[i].text};
  }
  EXPECT_GT(said, 0u);
  for (const Answer& answer : ask(model_, *kBytes, known, short_answers()).answers) {
    EXPECT_TRUE(answer.exact_match);
    EXPECT_DOUBLE_EQ(answer.f1, 1);
  }
}

TEST_F(AskingTest, ASampleTakesOneQuestionOfEachEqualPartOfTheList) {
  AskOptions options = short_answers();
  options.limit = 4;
  std::vector<int64_t> parts, places;
  for (const Answer& answer : ask(model_, *kBytes, questions_, options).answers) {
    parts.push_back(answer.id / 5);
    places.push_back(answer.id % 5);
  }
  EXPECT_EQ(parts, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_GT(std::set<int64_t>(places.begin(), places.end()).size(), 1u) << "a stride falls in step with wordings";
}

TEST_F(AskingTest, KeptAnswersAreNotAskedAgain) {
  const std::vector<Answer> first = ask(model_, *kBytes, questions_, options_).answers;
  std::vector<std::string> kept = lines();
  ASSERT_EQ(kept.size(), questions_.size() + 1);
  auto changed = nlohmann::ordered_json::parse(kept[1]);
  changed["text"] = "from the file";
  const int64_t id = changed["id"];
  std::string text = kept[0] + "\n" + changed.dump() + "\n";
  for (size_t i = 2; i < 10; ++i) text += kept[i] + "\n";
  write(text);

  const std::vector<Answer> again = ask(model_, *kBytes, questions_, options_).answers;
  ASSERT_EQ(again.size(), first.size());
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(again[i].text, first[i].id == id ? "from the file" : first[i].text);
    EXPECT_NEAR(again[i].nats, first[i].nats, 1e-4);
  }
  EXPECT_EQ(lines().size(), questions_.size() + 1);
}

TEST_F(AskingTest, ALineCutShortAtTheEndIsAskedAgain) {
  const std::vector<Answer> first = ask(model_, *kBytes, questions_, options_).answers;
  const std::string whole = base::read_text(options_.resume_file);
  for (size_t cut : {size_t{1}, size_t{30}, whole.size() - 5}) {  // the last one leaves a part of the header only
    write(whole.substr(0, whole.size() - cut));
    const std::vector<Answer> again = ask(model_, *kBytes, questions_, options_).answers;
    ASSERT_EQ(again.size(), first.size());
    EXPECT_EQ(again.back().text, first.back().text);
    EXPECT_EQ(lines().size(), questions_.size() + 1);
  }
}

TEST_F(AskingTest, DamageInTheMiddleIsRefusedWithItsLine) {
  ask(model_, *kBytes, questions_, options_);
  std::vector<std::string> kept = lines();
  kept[3] = "{\"id\": 3, \"prompt\"";
  std::string text;
  for (const std::string& line : kept) text += line + "\n";
  write(text);
  try {
    ask(model_, *kBytes, questions_, options_);
    FAIL() << "the damaged line was read";
  } catch (const base::IoError& error) {
    EXPECT_NE(std::string(error.what()).find("line 4"), std::string::npos) << error.what();
  }
}

TEST_F(AskingTest, AnswersOfAnotherModelOrOtherQuestionsAreRefused) {
  ask(model_, *kBytes, questions_, options_);
  model::Transformer other = tiny_model(4, kVocabulary);
  EXPECT_THROW(ask(other, *kBytes, questions_, options_), base::UsageError);
  std::vector<data::Question> reworded = questions_;
  reworded[2].prompt += " now";
  EXPECT_THROW(ask(model_, *kBytes, reworded, options_), base::UsageError);
  options_.max_new_tokens = 6;
  EXPECT_THROW(ask(model_, *kBytes, questions_, options_), base::UsageError);
}

TEST_F(AskingTest, AnInterruptReturnsWhatIsAnswered) {
  base::set_interrupted(true);
  const Asked asked = ask(model_, *kBytes, questions_, options_);
  EXPECT_TRUE(asked.answers.empty());
  EXPECT_TRUE(asked.interrupted);
}

TEST_F(AskingTest, WhatCannotBeAskedIsNamedAndLeavesTheOthersAsTheyAre) {
  const std::vector<Answer> alone = ask(model_, *kBytes, questions_, short_answers()).answers;
  std::vector<data::Question> mixed = questions_;
  const std::string long_text(200, 'x');
  mixed.insert(mixed.begin() + 3, {{900, "r", "s", false, long_text, {"a"}, ".", 41},
                                   {901, "r", "s", false, "It is", {"a", long_text}},
                                   {902, "r", "s", false, " ", {"a"}}});
  const Asked asked = ask(model_, *kBytes, mixed, short_answers());
  ASSERT_EQ(asked.answers.size(), alone.size());
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(asked.answers[i].id, alone[i].id);
    EXPECT_EQ(asked.answers[i].text, alone[i].text);
    EXPECT_NEAR(asked.answers[i].nats, alone[i].nats, 1e-4);
  }
  ASSERT_EQ(asked.problems.size(), 3u);
  EXPECT_NE(asked.problems[0].find("line 41: question 900: needs "), std::string::npos) << asked.problems[0];
  EXPECT_NE(asked.problems[1].find("question 901: needs "), std::string::npos) << asked.problems[1];
  EXPECT_NE(asked.problems[2].find("question 902: its prompt is empty"), std::string::npos) << asked.problems[2];
}

TEST_F(AskingTest, APromptNearTheLastPositionIsAskedWithTheRoomThereIs) {
  const std::vector<data::Question> near = {{1, "r", "s", false, std::string(124, 'x'), {"a"}}};  // of 128 positions
  AskOptions options;
  const Asked asked = ask(model_, *kBytes, near, options);
  ASSERT_EQ(asked.answers.size(), 1u);
  EXPECT_LE(asked.answers[0].text.size(), 9u);
}

TEST_F(AskingTest, WhiteSpaceAroundPromptAndAnswerIsAskedAsOneSpace) {
  const std::vector<data::Question> spaced = {{1, "r", "s", false, "It is", {"so"}},
                                              {2, "r", "s", false, "It is ", {"so"}},
                                              {3, "r", "s", false, "It is  \t", {"so"}},
                                              {4, "r", "s", false, "It is", {" so "}}};
  const std::vector<Answer> answers = ask(model_, *kBytes, spaced, short_answers()).answers;
  for (const Answer& answer : answers) {
    EXPECT_EQ(answer.text, answers[0].text);
    EXPECT_NEAR(answer.nats, answers[0].nats, 1e-5);
  }
}

TEST_F(AskingTest, AnotherEndingIsScoredInPlaceOfTheFullStop) {
  const std::vector<data::Question> questions = {{1, "r", "s", false, "It is", {"so"}, "!"}};
  const ScoreRequest request = score_request(*kBytes, "It is", " so!");
  EXPECT_NEAR(ask(model_, *kBytes, questions, short_answers()).answers[0].nats,
              Requests(model_).score({request})[0].nats, 1e-5);
}

TEST_F(AskingTest, TwoQuestionsWithOneIdAreRefused) {
  std::vector<data::Question> doubled = questions_;
  doubled[1].id = 0;
  EXPECT_THROW(ask(model_, *kBytes, doubled, options_), base::UsageError);
}

TEST(Score, AveragesByWordingAndRelation) {
  const std::vector<data::Question> questions = {{1, "r", "", false, "p", {"a"}},
                                                 {2, "r", "", false, "p", {"a"}},
                                                 {3, "s", "", false, "p", {"a"}},
                                                 {4, "r", "", true, "p", {"a"}},
                                                 {5, "s", "", true, "p", {"a"}}};
  const std::vector<Answer> answers = {
      {1, "", true, 1, 0.5}, {2, "", false, 0.5, 1.5}, {3, "", true, 1, 4}, {4, "", true, 1, 2}};
  const Scores scores = score(questions, answers);
  EXPECT_EQ(scores.unseen.questions, 3);
  EXPECT_DOUBLE_EQ(scores.unseen.exact_match, 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores.unseen.f1, 2.5 / 3);
  EXPECT_DOUBLE_EQ(scores.unseen.nats, 2);
  EXPECT_EQ(scores.seen.questions, 1) << "question 5 was not answered";
  EXPECT_DOUBLE_EQ(scores.unseen_by_relation.at("r").exact_match, 0.5);
  EXPECT_DOUBLE_EQ(scores.unseen_by_relation.at("s").nats, 4);
  EXPECT_EQ(scores.seen_by_relation.count("s"), 0u);
}

}  // namespace
}  // namespace memlayers::evaluation
