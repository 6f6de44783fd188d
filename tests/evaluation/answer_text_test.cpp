#include "evaluation/questions/answer_text.h"

#include <gtest/gtest.h>

#include "evaluation/questions/asking.h"

namespace memlayers::evaluation {
namespace {

TEST(AnswerText, AnAnswerEndsAtItsFirstSentenceOrLine) {
  EXPECT_EQ(extract_answer(" AW. The code of"), "AW");
  EXPECT_EQ(extract_answer(" AW.\nThe code of"), "AW");
  EXPECT_EQ(extract_answer(" New\nYork. It"), "New");
  EXPECT_EQ(extract_answer(" Aruba."), "Aruba");
  EXPECT_EQ(extract_answer(" Aruba"), "Aruba");
  EXPECT_EQ(extract_answer("\n Aruba. X"), "Aruba") << "white space before it is no line";
  EXPECT_EQ(extract_answer(""), "");
  EXPECT_EQ(extract_answer("."), "");
}

TEST(AnswerText, APeriodInsideANumberACodeOrAnAbbreviationDoesNotEndIt) {
  EXPECT_EQ(extract_answer(" 3.5. Then"), "3.5");
  EXPECT_EQ(extract_answer(" St. Gallen. The"), "St. Gallen");
  EXPECT_EQ(extract_answer(" John F. Kennedy. He"), "John F. Kennedy");
}

TEST(AnswerText, ASingleLetterIsAnAnswer) { EXPECT_EQ(extract_answer(" I. The"), "I"); }

TEST(AnswerText, ASentenceHasEndedOnlyOnceWhiteSpaceFollows) {
  EXPECT_EQ(first_sentence_end(" AW"), std::string::npos);
  EXPECT_EQ(first_sentence_end(" AW."), std::string::npos);
  EXPECT_EQ(first_sentence_end(" AW. "), 3u);
}

TEST(AnswerText, NormalizesAsSquadDoes) {
  EXPECT_EQ(normalise_answer("The  Netherlands!"), "netherlands");
  EXPECT_EQ(normalise_answer("A cat, an owl and the dog"), "cat owl and dog");
  EXPECT_EQ(normalise_answer("Guinea-Bissau"), "guineabissau");
  EXPECT_EQ(normalise_answer("Theodore"), "theodore");
  EXPECT_EQ(normalise_answer("  "), "");
}

TEST(AnswerText, KeepsAnAnswerThatIsNothingButAnArticleOrPunctuation) {
  EXPECT_EQ(normalise_answer("AN"), "an");
  EXPECT_NE(normalise_answer("AN"), normalise_answer("The"));
  EXPECT_EQ(normalise_answer("+"), "+");
}

TEST(AnswerText, LowersLettersBeyondAscii) {
  EXPECT_EQ(lower_case("ÅLAND Île ŽILINA Ősz ŁÓDŹ Ÿ"), "åland île žilina ősz łódź ÿ");
  EXPECT_EQ(lower_case("ΑΘΗΝΑ МОСКВА ЁЖ"), "αθηνα москва ёж");
  EXPECT_EQ(lower_case("東京 × ß"), "東京 × ß");
  EXPECT_EQ(lower_case("\xC3"), "\xC3") << "a torn character stays";
}

TEST(AnswerText, F1IsTheHarmonicMeanOfWordPrecisionAndRecall) {
  EXPECT_DOUBLE_EQ(f1_score("Saint Kitts and Nevis", "Saint Kitts and Nevis"), 1);
  EXPECT_DOUBLE_EQ(f1_score("Kitts", "Saint Kitts"), 2 * 1 * 0.5 / 1.5);
  EXPECT_DOUBLE_EQ(f1_score("the saint kitts", "Saint Kitts."), 1);
  EXPECT_DOUBLE_EQ(f1_score("north north south", "north south"), 2 * (2.0 / 3) * 1 / (2.0 / 3 + 1));
  EXPECT_DOUBLE_EQ(f1_score("Peru", "Chile"), 0);
  EXPECT_DOUBLE_EQ(f1_score("", "Chile"), 0);
}

}  // namespace
}  // namespace memlayers::evaluation
